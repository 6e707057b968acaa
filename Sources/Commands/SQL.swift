import Diagnostics
import FeatureCatalogue
import Formats
import SQLFunctions
import SQLite

/// `monoseme sql`: a query, read-only.
enum SQL: Command {
    static let query = Argument<String>("QUERY", help: "One SELECT statement; - reads it from standard input")

    static let declaration = Declaration(
        "sql", summary: "ask the catalogue anything, in SQL",
        discussion: """
            Read-only: the file is opened for reading, and statements that write, attach files or change settings are refused. The views feature_overview, \
            dictionary_overview, topic_rate, example, logit, neuron, label_current, label_history and document_overview are described in the README. \
            context(corpus_id, position, window) gives the text around a position, the token itself between « and ».
            """,
        parameters: [query, Shared.format],
        examples: [("monoseme sql \"SELECT feature, density FROM feature_overview WHERE dictionary = 'A/1' ORDER BY density DESC LIMIT 5\"", "The densest features"),
                   ("monoseme sql \"SELECT name, sql FROM sqlite_schema WHERE type = 'view'\"", "The views")])

    static func run(_ invocation: Invocation) throws {
        var text = invocation[query]
        if text == "-" { text = String(decoding: try readStandardInput(limit: 1 << 24), as: UTF8.self) }
        let catalogue = try invocation.openCatalogue()
        try registerFunctions(on: catalogue.connection)
        catalogue.connection.allowReadingOnly()
        do {
            var statement = try Statement(text, on: catalogue.connection)
            guard statement.rest.allSatisfy({ $0.isWhitespace || $0 == ";" }) else { throw MonosemeError("more than one statement was given", hint: "run them one at a time") }
            guard statement.parameterCount == 0 else { throw MonosemeError("the query has parameters, and no values for them", hint: "write the values into the query") }
            let writer = invocation.tableWriter((0..<statement.columnCount).map { Column(statement.columnName($0), isFlexible: true) })
            while try statement.step() { try writer.append((0..<statement.columnCount).map { Cell(statement.value($0), .plain) }) }
            try writer.finish()
        } catch let error as SQLiteError {
            switch error.kind {
            case .denied, .readOnly: throw MonosemeError("the query was refused: \(error.message)", hint: "monoseme sql only reads; labels are added with monoseme label")
            case .other: throw MonosemeError("the query failed: \(error.message)", hint: "list the views with: monoseme sql \"SELECT name FROM sqlite_schema WHERE type = 'view'\"")
            default: throw error
            }
        }
    }
}

extension Cell {
    /// A value from SQL; blobs in hexadecimal.
    init(_ value: SQLiteValue, _ format: NumberFormat) {
        switch value {
        case .null: self = .missing
        case .integer(let n): self = .integer(Int(n), format)
        case .real(let r): self = .real(r, format == .plain ? .atMost(6) : format)
        case .text(let t): self = .text(t)
        case .blob(let b): self = .text(hexadecimal(b))
        }
    }
}
