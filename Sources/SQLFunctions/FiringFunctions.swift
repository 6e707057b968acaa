import Diagnostics
import FeatureCatalogue
import SQLite

/// `activations(of)`: every firing of a feature, in order of position.
struct ActivationsFunction: TableFunction {
    let name = "activations"
    let columns = [TableColumn("document", "INTEGER"), TableColumn("position", "INTEGER"), TableColumn("position_in_document", "INTEGER"), TableColumn("token", "INTEGER"),
                   TableColumn("token_text", "TEXT"), TableColumn("value", "REAL"), TableColumn("topic", "TEXT"), TableColumn("corpus_id", "INTEGER")]
    let parameters = [TableParameter("of", isRequired: true)]
    let order = [TableOrder(1)]
    let estimate = (rows: 100, cost: 100.0)
    private let current: CurrentCatalogue

    init(of current: CurrentCatalogue) { self.current = current }

    func open(_ arguments: [SQLiteValue?]) throws -> any TableCursor {
        let catalogue = try current.catalogue()
        guard let (dictionary, index) = try catalogue.feature(arguments[0], for: name) else { return TableRows([Int]()) { _, _ in .null } }
        let run = try catalogue.run(of: dictionary.name)
        return try FiringRows(catalogue, index, run, current.text(of: run.corpus))
    }
}

/// A feature's firings, one segment's list in memory at a time.
private final class FiringRows: TableCursor {
    private let catalogue: Catalogue
    private let feature: Int
    private let run: Run
    private let place: CorpusPlace
    private var segments: ArraySlice<Segment>
    private var firings = PostingList()
    private var at = -1

    init(_ catalogue: Catalogue, _ feature: Int, _ run: Run, _ text: CorpusText) throws {
        (self.catalogue, self.feature, self.run) = (catalogue, feature, run)
        place = try CorpusPlace(catalogue, text)
        segments = try catalogue.segments(of: run)[...]
    }

    func next() throws -> Bool {
        at += 1
        while at >= firings.count {
            guard let segment = segments.popFirst() else { return false }
            firings = try catalogue.firings(of: feature, in: segment)
            at = 0
        }
        return true
    }

    func value(_ column: Int) throws -> SQLiteValue {
        let position = firings.positions[at]
        return switch column {
        case 0: try place.document(position)
        case 1: .init(position)
        case 2: try place.positionInDocument(position)
        case 3: .init(try place.token(position))
        case 4: .text(String(decoding: try place.text.bytes(of: try place.token(position)), as: UTF8.self))
        case 5: .init(firings.values[at])
        case 6: try place.topic(position)
        default: .init(run.corpus)
        }
    }
}

/// `examples(of [, n [, window]])`: a feature's strongest firings with the text around them, as `show` chooses them.
struct ExamplesFunction: TableFunction {
    let name = "examples"
    let columns = [TableColumn("rank", "INTEGER"), TableColumn("value", "REAL"), TableColumn("text", "TEXT"), TableColumn("document", "INTEGER"), TableColumn("position", "INTEGER"),
                   TableColumn("position_in_document", "INTEGER"), TableColumn("topic", "TEXT"), TableColumn("corpus_id", "INTEGER")]
    let parameters = [TableParameter("of", isRequired: true), TableParameter("n"), TableParameter("window")]
    let order = [TableOrder(0), TableOrder(1, isDescending: true)]
    let estimate = onceOutermost
    private let current: CurrentCatalogue

    init(of current: CurrentCatalogue) { self.current = current }

    func open(_ arguments: [SQLiteValue?]) throws -> any TableCursor {
        let catalogue = try current.catalogue()
        guard let (dictionary, index) = try catalogue.feature(arguments[0], for: name) else { return TableRows([Int]()) { _, _ in .null } }
        let n = try rowCount(arguments[1], "n", of: name, default: 10), window = try window(arguments[2], of: name) ?? 8
        let run = try catalogue.run(of: dictionary.name), text = try current.text(of: run.corpus), place = try CorpusPlace(catalogue, text)
        let rows = try catalogue.connection.rows("SELECT rank, position, value FROM feature_example WHERE run_id = ? AND feature_id = ? ORDER BY rank LIMIT ?",
                                                 .init(run.id), .init(dictionary.featureID(index)), .init(n)) { ($0.integer(0), $0.integer(1), $0.real(2)) }
        return TableRows(try rows.map { rank, position, value in
            [.init(rank), .init(value), .text(try text.marked(position, window)), try place.document(position), .init(position), try place.positionInDocument(position),
             try place.topic(position), .init(run.corpus)] as [SQLiteValue]
        }) { $0[$1] }
    }
}

/// `cofiring(of [, k])`: the features of the same dictionary that fire on the same tokens, the most correlated first.
struct CofiringFunction: TableFunction {
    let name = "cofiring"
    let columns = [TableColumn("feature", "TEXT"), TableColumn("feature_id", "INTEGER"), TableColumn("count", "INTEGER"), TableColumn("share", "REAL"), TableColumn("share_of_other", "REAL"),
                   TableColumn("lift", "REAL"), TableColumn("correlation", "REAL"), TableColumn("rank", "INTEGER")]
    let parameters = [TableParameter("of", isRequired: true), TableParameter("k")]
    let order = [TableOrder(6, isDescending: true), TableOrder(7)]
    let estimate = onceOutermost
    private let current: CurrentCatalogue

    init(of current: CurrentCatalogue) { self.current = current }

    func open(_ arguments: [SQLiteValue?]) throws -> any TableCursor {
        let catalogue = try current.catalogue()
        guard let (dictionary, index) = try catalogue.feature(arguments[0], for: name) else { return TableRows([Int]()) { _, _ in .null } }
        let k = try rowCount(arguments[1], "k", of: name, default: 10)
        let found = try catalogue.cofirings(of: index, in: catalogue.run(of: dictionary.name)).prefix(k)
        return TableRows(Array(found.enumerated())) { row, column in
            let (rank, other) = (row.offset + 1, row.element)
            return switch column {
            case 0: .text(FeatureName(dictionary: dictionary.name, index: other.feature).description)
            case 1: .init(dictionary.featureID(other.feature))
            case 2: .init(other.count)
            case 3: .init(other.share)
            case 4: .init(other.shareOfOther)
            case 5: .init(other.lift)
            case 6: .init(other.correlation)
            default: .init(rank)
            }
        }
    }
}

/// Where positions of a corpus lie.
struct CorpusPlace {
    let text: CorpusText
    private let topics: [Int: String]

    init(_ catalogue: Catalogue, _ text: CorpusText) throws {
        self.text = text
        topics = try Dictionary(catalogue.topics(of: text.corpus.id).map { ($0.id, $0.name) }) { first, _ in first }
    }

    func document(_ position: Int) throws -> SQLiteValue { .init(try text.place(of: position).document) }
    func positionInDocument(_ position: Int) throws -> SQLiteValue { .init(position - (try text.place(of: position).bounds.lowerBound)) }
    func topic(_ position: Int) throws -> SQLiteValue { .init(topics[text.documents.topics[try text.place(of: position).document]]) }
    func token(_ position: Int) throws -> Int32 {
        guard let token = try text.tokens(at: position..<position + 1).first else {
            throw MonosemeError("the corpus \(quoted(text.corpus.name)) has no token at position \(position)", hint: "monoseme check lists all damage")
        }
        return token
    }
}
