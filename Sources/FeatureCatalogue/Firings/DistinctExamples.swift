import Kernels

extension PostingList {
    /// Places of the strongest firings that show something new, the strongest first, equal ones by position: not the same tokens again (the token
    /// and four to either side), and few from any one document.
    ///
    /// - Parameter isWanted: of a document, by its place in the corpus's table.
    public func distinctExamples(_ count: Int, in text: CorpusText, where isWanted: (_ document: Int) -> Bool = { _ in true }) throws -> [Int] {
        let order = [UInt32](unsafeUninitializedCapacity: values.count) { kernel_order_descending(values, values.count, $0.baseAddress); $1 = values.count }
        var taken: [Int] = [], windows: Set<[Int32]> = [], perDocument: [Int: Int] = [:]
        for place in order.lazy.map(Int.init) {
            guard taken.count < count else { break }
            let document = text.documents.index(of: positions[place])
            guard isWanted(document), perDocument[document, default: 0] < examplesPerDocument, windows.insert(try text.window(around: positions[place], 4).tokens).inserted else { continue }
            perDocument[document, default: 0] += 1
            taken.append(place)
        }
        return taken
    }
}
