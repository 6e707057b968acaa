/// How an answer is written: aligned for people, or one of three forms for programs.
enum OutputFormat: String, Sendable, CaseIterable { case table, json, jsonl, csv }

/// A column of a table.
struct Column: Sendable {
    enum Alignment: Sendable { case automatic, left, right }
    /// Who sees the column: a bar is drawn for people, a raw identifier is there for programs.
    enum Audience: Sendable { case everyone, people, programs }

    /// Over the column, for people.
    let title: String
    /// In JSON and CSV, for programs: `activation_maximum`.
    let key: String
    /// `.automatic` puts numbers on the right.
    let alignment: Alignment
    /// Gives way where the row is wider than the terminal.
    let isFlexible: Bool
    let audience: Audience

    init(_ title: String, key: String? = nil, alignment: Alignment = .automatic, isFlexible: Bool = false, audience: Audience = .everyone) {
        self.title = title
        self.key = key ?? title
        self.alignment = alignment
        self.isFlexible = isFlexible
        self.audience = audience
    }
}

/// A value in a table; numbers carry how people see them.
enum Cell: Sendable, Equatable {
    case text(String)
    case integer(Int, NumberFormat = .grouped)
    case real(Double, NumberFormat = .significant(4))
    case boolean(Bool)
    /// A text with a part in focus, cut around it.
    case excerpt(Excerpt)
    /// Numbers in a row: drawn as a sparkline for people, an array for programs.
    case series([Double])
    case missing

    init(_ value: String?) { self = value.map { .text($0) } ?? .missing }
    init(_ value: Int?, _ format: NumberFormat = .grouped) { self = value.map { .integer($0, format) } ?? .missing }
    init(_ value: Double?, _ format: NumberFormat = .significant(4)) { self = value.map { .real($0, format) } ?? .missing }
    /// Keeps the float's own shortest decimals: 0.1, not 0.10000000149.
    init(_ value: Float?, _ format: NumberFormat = .significant(4)) {
        self = value.map { .real(Double("\($0)") ?? Double($0), format) } ?? .missing
    }

    var isNumber: Bool {
        switch self {
        case .integer, .real: true
        default: false
        }
    }
}

/// Rows of cells under columns, held in memory.
struct Table: Sendable {
    let columns: [Column]
    private(set) var rows: [[Cell]] = []

    init(_ columns: [Column], rows: [[Cell]] = []) {
        self.columns = columns
        for row in rows { append(row) }
    }

    /// Adds a row of one cell for each column.
    mutating func append(_ row: [Cell]) {
        precondition(row.count == columns.count, "a row of \(row.count) cells in a table of \(columns.count) columns")
        rows.append(row)
    }

    func write(to output: Output, format: OutputFormat, terminal: Terminal) throws {
        let writer = TableWriter(columns, format: format, output: output, terminal: terminal)
        for row in rows { try writer.append(row) }
        try writer.finish()
    }
}

/// Facts about one thing: lines of `title  value` for people, one object for programs.
struct Facts: Sendable {
    private(set) var fields: [(column: Column, cell: Cell)] = []

    init() {}

    mutating func append(_ title: String, key: String? = nil, audience: Column.Audience = .everyone, _ cell: Cell) {
        fields.append((Column(title, key: key, audience: audience), cell))
    }

    func write(to output: Output, format: OutputFormat, terminal: Terminal) throws {
        switch format {
        case .table:
            let seen = fields.filter { $0.column.audience != .programs }
            let margin = (seen.map { visibleWidth(of: $0.column.title, upTo: 40) }.max() ?? 0) + 2
            for (column, cell) in seen {
                let title = truncated(column.title, width: 40)
                let value = cell.shown(width: terminal.isTerminal ? max(8, terminal.width - margin) : .max, terminal: terminal)
                try output.write(terminal.style.dim(title) + spaces(margin - displayWidth(of: title)) + value.text + "\n")
            }
        case .json:
            try output.write(object(of: fields.map(\.column), fields.map(\.cell), indentation: 2) + "\n")
        case .jsonl, .csv:
            let writer = TableWriter(fields.map(\.column), format: format, output: output, terminal: terminal)
            try writer.append(fields.map(\.cell))
            try writer.finish()
        }
    }
}

func spaces(_ count: Int) -> String { String(repeating: " ", count: max(0, count)) }
