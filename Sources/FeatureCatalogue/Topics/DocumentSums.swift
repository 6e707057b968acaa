/// A feature's firings counted document by document and summed over a group of documents, as a test needs whose unit is the document: over those
/// with a firing, of y firings and n tokens.
struct DocumentSums: Sendable, Equatable {
    /// With a firing.
    var documents = 0
    var firings = 0.0, squares = 0.0, products = 0.0

    /// - Parameter firings: of a document, at least one.
    mutating func add(_ firings: Double, _ tokens: Double) {
        documents += 1
        self.firings += firings
        squares += firings * firings
        products += firings * tokens
    }

    static func - (all: DocumentSums, part: DocumentSums) -> DocumentSums {
        DocumentSums(documents: all.documents - part.documents, firings: all.firings - part.firings, squares: all.squares - part.squares, products: all.products - part.products)
    }

    /// Q of a group with these firings (TopicEvidence.swift): silent documents, too, differ from what the rate expects of them.
    func variation(_ group: TopicTable.Totals) -> Double {
        let rate = firings / group.tokens, m = Double(group.documents)
        return m / (m - 1) * max(0, squares - 2 * rate * products + rate * rate * group.squares)
    }
}
