import Diagnostics
import FeatureCatalogue
import Formats
import SQLFunctions
import SQLite

/// `monoseme sql`: a query, read-only.
enum SQL: Command {
    static let query = Argument<String?>("QUERY", help: "One SELECT statement; - reads it from standard input")
    static let file = Option<String?>("--file", value: "FILE", help: "Read the statement from a file")
    static let values = Option<[String]>("--param", value: "NAME=VALUE", help: "The value of the parameter :NAME: a number, NULL, 'text' or x'00ff' as in SQL, or else the text as it stands")
    static let timeout = Option<Double?>("--timeout", value: "SECONDS", in: 0.001...1e6, help: "Stop a query that takes longer")
    static let limitRows = Option<Int?>("--limit-rows", value: "N", in: 1..., help: "Stop after so many rows")

    static let declaration = Declaration(
        "sql", summary: "ask the catalogue anything, in SQL",
        discussion: """
            Read-only: the file is opened for reading, and statements that write, attach files or change settings are refused. SQL.md describes the views \
            (feature_overview, dictionary_overview, topic_rate, lineage, example, …) and the functions: nearest, neighbours, activations, examples, cofiring, decoder, \
            feature, context, vector and more.

            Ctrl-C stops a query; what it had answered is printed, and the exit status is 130.
            """,
        parameters: [query, file, values, timeout, limitRows, Shared.format],
        examples: [("monoseme sql \"SELECT feature, density FROM feature_overview WHERE dictionary = 'A/1' ORDER BY density DESC LIMIT 5\"", "The densest features"),
                   ("monoseme sql \"SELECT n.feature, n.cosine, f.top_token FROM nearest(:f, 5) AS n JOIN feature_overview AS f USING (feature_id)\" --param f=A/1/1199", "Nearest features, with their statistics"),
                   ("monoseme sql \"SELECT name, sql FROM sqlite_schema WHERE type = 'view'\"", "The views")])

    static func run(_ invocation: Invocation) throws {
        let text = try statementText(invocation)
        // SQLite would take the text to end there.
        if let place = text.utf8.firstIndex(of: 0) {
            throw MonosemeError("the query holds a NUL character, its byte \(text.utf8.distance(from: text.startIndex, to: place) + 1)", hint: "write char(0) in its place, or x'00' in a blob")
        }
        let values = try invocation[values].map(parameter)
        let catalogue = try invocation.openCatalogue()
        let connection = catalogue.connection
        try registerFunctions(on: connection)
        connection.allowReadingOnly()
        do {
            try watched(connection.interrupter, timeout: invocation[timeout]) { watch in
                var statement = try Statement(text, on: connection)
                guard !hasStatement(statement.rest, connection) else { throw MonosemeError("more than one statement was given", hint: "run them one at a time") }
                try bind(values, to: statement)
                try answer(&statement, invocation, watch)
            }
        } catch let error as SQLiteError {
            throw explain(error)
        }
    }

    private static func answer(_ statement: inout Statement, _ invocation: Invocation, _ watch: QueryWatch) throws {
        let columns = statement.columnCount
        // Enough rows to fit columns to; an answer of any length takes no more memory than these.
        let writer = invocation.tableWriter((0..<columns).map { Column(statement.columnName($0), isFlexible: true) }, rowsHeld: 1000)
        var rows = 0
        do {
            while try statement.step() {
                try watch.check()
                if rows == invocation[limitRows] {
                    invocation.note("stopped after \(rows) row\(rows == 1 ? "" : "s"), as --limit-rows says; there are more")
                    break
                }
                try writer.append((0..<columns).map { Cell(statement.value($0), .plain, isForPeople: invocation[Shared.format] == .table) })
                rows += 1
            }
        } catch {
            // What was answered before is whole rows of a document that ends.
            if rows > 0 { try? writer.finish() }
            throw error
        }
        try writer.finish()
    }

    private static func statementText(_ invocation: Invocation) throws -> String {
        switch (invocation[query], invocation[file]) {
        case ("-", nil): return String(decoding: try readStandardInput(limit: 1 << 24), as: UTF8.self)
        case (let text?, nil): return text
        case (nil, let path?): return try MappedFile(path).withBytes { String(decoding: $0, as: UTF8.self) }
        case (nil, nil): throw UsageError("no query given", hint: "give a SELECT statement, - to read it from standard input, or --file FILE")
        case (_?, _?): throw UsageError("a query and --file were given", hint: "ask one of them")
        }
    }

    /// Whether there is more in the text than spaces, semicolons and comments.
    private static func hasStatement(_ rest: String, _ connection: Connection) -> Bool {
        var rest = rest[...]
        while let first = rest.first, first.isWhitespace || first == ";" { rest.removeFirst() }
        guard !rest.isEmpty else { return false }
        do { _ = try Statement(String(rest), on: connection) } catch { return error.message != "no statement" }
        return true
    }

    /// Gives every parameter of the statement its value, whichever of `:`, `@` and `$` it is written with.
    private static func bind(_ values: [(name: String, value: SQLiteValue)], to statement: borrowing Statement) throws {
        let names = (0..<statement.parameterCount).map { statement.parameterName($0).map { String($0.dropFirst()) } }
        guard !names.contains(nil) else { throw MonosemeError("the query has a parameter without a name", hint: "write :name in place of ?, and give the value with --param name=value") }
        for (index, name) in names.enumerated() {
            guard let value = values.last(where: { $0.name == name })?.value else {
                throw MonosemeError("the query has the parameter :\(name!), and no value for it", hint: "give it with --param \(name!)=VALUE")
            }
            statement.bind(value, at: index)
        }
        if let unused = values.first(where: { !names.contains($0.name) }) {
            let known = names.map { ":\($0!)" }.joined(separator: ", ")
            throw MonosemeError("the query has no parameter :\(unused.name)", hint: known.isEmpty ? "write :\(unused.name) where the value belongs" : "it has \(known)")
        }
    }

    /// `name=value`; a leading `:`, `@` or `$` may be typed with the name.
    static func parameter(_ text: String) throws -> (name: String, value: SQLiteValue) {
        guard let equals = text.firstIndex(of: "="), case let name = text[..<equals].drop(while: { ":@$".contains($0) }), !name.isEmpty else {
            throw UsageError("--param takes NAME=VALUE, not \(quoted(text))", hint: "such as --param k=10")
        }
        return (String(name), SQLiteValue(literal: String(text[text.index(after: equals)...])))
    }

    private static func explain(_ error: SQLiteError) -> any Error {
        // A function's own error brings its own hint.
        let parts = error.message.split(separator: "\n  hint: ", maxSplits: 1).map(String.init)
        let message = parts.first ?? "", hint = parts.count > 1 ? parts[1] : nil
        switch error.kind {
        case .denied, .readOnly: return MonosemeError("the query was refused: \(message)", hint: "monoseme sql only reads; labels are added with monoseme label add")
        case .other:
            let views = message.hasPrefix("no such") ? "list the views with: monoseme sql \"SELECT name FROM sqlite_schema WHERE type = 'view'\"" : nil
            return MonosemeError("the query failed: \(message)", hint: hint ?? views ?? "SQL.md describes the views and functions")
        default: return error
        }
    }
}

extension SQLiteValue {
    /// What a text means as an SQL literal: a number, NULL, 'text' or x'…'; all else is the text itself.
    init(literal text: String) {
        if let integer = Int64(text) { self = .integer(integer); return }
        if text.utf8.allSatisfy({ "0123456789.eE+-".utf8.contains($0) }), let real = Double(text), real.isFinite { self = .real(real); return }
        if text.uppercased() == "NULL" { self = .null; return }
        if text.count >= 2, text.hasPrefix("'"), text.hasSuffix("'") {
            // Quotes inside must be doubled, or it is not a literal.
            let inside = String(text.dropFirst().dropLast()), single = inside.split(separator: "''", omittingEmptySubsequences: false)
            if !single.contains(where: { $0.contains("'") }) { self = .text(single.joined(separator: "'")); return }
        }
        if text.count >= 3, text.count % 2 == 1, text.lowercased().hasPrefix("x'"), text.hasSuffix("'") {
            let digits = Array(text.utf8.dropFirst(2).dropLast()).map { UInt8(String(decoding: [$0], as: UTF8.self), radix: 16) }
            if !digits.contains(nil) { self = .blob(stride(from: 0, to: digits.count, by: 2).map { digits[$0]! << 4 | digits[$0 + 1]! }); return }
        }
        self = .text(text)
    }
}

extension Cell {
    /// A value from SQL; blobs in hexadecimal, for people only as much as they can look at.
    init(_ value: SQLiteValue, _ format: NumberFormat, isForPeople: Bool = false) {
        switch value {
        case .null: self = .missing
        case .integer(let n): self = .integer(Int(n), format)
        case .real(let r): self = .real(r, format == .plain ? .atMost(6) : format)
        case .text(let t): self = .text(t)
        case .blob(let b): self = .text(isForPeople && b.count > 64 ? hexadecimal(Array(b.prefix(64))) + "… (\(b.count) bytes)" : hexadecimal(b))
        }
    }
}
