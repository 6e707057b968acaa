import Diagnostics
import FeatureCatalogue
import SQLite

/// `tagged(tag, dictionary)`: how well each feature that fires marks the tokens of a tag (or of a topic), the greatest F1 first.
struct TaggedFunction: TableFunction {
    let name = "tagged"
    let columns = [TableColumn("feature", "TEXT"), TableColumn("feature_id", "INTEGER"), TableColumn("firings", "INTEGER"), TableColumn("firings_tagged", "INTEGER"),
                   TableColumn("documents", "INTEGER"), TableColumn("specificity", "REAL"), TableColumn("sensitivity", "REAL"), TableColumn("f1", "REAL"), TableColumn("enrichment", "REAL"),
                   TableColumn("mass_specificity", "REAL"), TableColumn("correlation", "REAL"), TableColumn("binary_correlation", "REAL"), TableColumn("rank", "INTEGER")]
    let parameters = [TableParameter("tag", isRequired: true), TableParameter("dictionary", isRequired: true)]
    let order = [TableOrder(7, isDescending: true), TableOrder(12)]
    let estimate = onceOutermost
    private let current: CurrentCatalogue

    init(of current: CurrentCatalogue) { self.current = current }

    func open(_ arguments: [SQLiteValue?]) throws -> any TableCursor {
        let catalogue = try current.catalogue()
        guard let (dictionary, marks) = try catalogue.marks(arguments[0], arguments[1], for: name) else { return TableRows([Int]()) { _, _ in .null } }
        let ranked = try catalogue.statistics(against: marks, in: catalogue.run(of: dictionary.name))
            .sorted { SubjectOrder.f1.key($0) != SubjectOrder.f1.key($1) ? SubjectOrder.f1.key($0) > SubjectOrder.f1.key($1) : $0.feature < $1.feature }
        return TableRows(Array(ranked.enumerated())) { row, column in
            let (rank, s) = (row.offset + 1, row.element)
            return switch column {
            case 0: .text(FeatureName(dictionary: dictionary.name, index: s.feature).description)
            case 1: .init(dictionary.featureID(s.feature))
            case 2: .init(s.firings)
            case 3: .init(s.firingsMarked)
            case 4: .init(s.documents)
            case 5: .init(s.specificity)
            case 6: .init(s.sensitivity)
            case 7: .init(s.f1)
            case 8: .init(s.enrichment)
            case 9: .init(s.massSpecificity)
            case 10: .init(s.correlation)
            case 11: .init(s.binaryCorrelation)
            default: .init(rank)
            }
        }
    }
}

/// `tag_positions(tag, dictionary)`: the tokens of a tag (or of a topic) in the corpus of a dictionary, in order.
struct TagPositionsFunction: TableFunction {
    let name = "tag_positions"
    let columns = [TableColumn("document", "INTEGER"), TableColumn("position", "INTEGER"), TableColumn("position_in_document", "INTEGER"), TableColumn("token", "INTEGER"),
                   TableColumn("token_text", "TEXT"), TableColumn("topic", "TEXT"), TableColumn("corpus_id", "INTEGER")]
    let parameters = [TableParameter("tag", isRequired: true), TableParameter("dictionary", isRequired: true)]
    let order = [TableOrder(1)]
    let estimate = (rows: 100, cost: 100.0)
    private let current: CurrentCatalogue

    init(of current: CurrentCatalogue) { self.current = current }

    func open(_ arguments: [SQLiteValue?]) throws -> any TableCursor {
        let catalogue = try current.catalogue()
        guard let (dictionary, marks) = try catalogue.marks(arguments[0], arguments[1], for: name) else { return TableRows([Int]()) { _, _ in .null } }
        let run = try catalogue.run(of: dictionary.name)
        return TaggedTokens(marks.positions, try CorpusPlace(catalogue, current.text(of: run.corpus)))
    }
}

/// Some tokens of a corpus.
private final class TaggedTokens: TableCursor {
    private let positions: [Int]
    private let place: CorpusPlace
    private var at = -1

    init(_ positions: [Int], _ place: CorpusPlace) { (self.positions, self.place) = (positions, place) }

    func next() -> Bool {
        at += 1
        return at < positions.count
    }

    func rewind() -> Bool {
        at = -1
        return true
    }

    func value(_ column: Int) throws -> SQLiteValue {
        let position = positions[at]
        return switch column {
        case 0: try place.document(position)
        case 1: .init(position)
        case 2: try place.positionInDocument(position)
        case 3: .init(try place.token(position))
        case 4: .text(String(decoding: try place.text.bytes(of: try place.token(position)), as: UTF8.self))
        case 5: try place.topic(position)
        default: .init(place.text.corpus.id)
        }
    }
}

extension Catalogue {
    /// The tokens that a call's tag and dictionary name; `nil` where one is NULL.
    fileprivate func marks(_ tag: SQLiteValue?, _ dictionary: SQLiteValue?, for function: String) throws -> (FeatureDictionary, PositionSet)? {
        guard let dictionary = try self.dictionary(dictionary, for: function) else { return nil }
        let corpus = try run(of: dictionary.name).corpus
        switch tag ?? .null {
        case .null: return nil
        case .text(let name): return (dictionary, try positions(of: try subject(named: name, of: corpus), in: corpus))
        case let other: throw MonosemeError("\(function): a tag is given by its name, not by \(words(other))", hint: "such as \(function)('base64-run', 'A/1')")
        }
    }
}
