import Formats

/// Writes a table row by row: at once for programs; for people, whose columns are aligned, when enough rows are known to fit them to.
///
/// Call `finish` at the end, also of an empty table.
final class TableWriter {
    private let columns: [Column]
    private let format: OutputFormat
    private let output: Output
    private let terminal: Terminal
    private let rowsHeld: Int
    private var held: [[Cell]] = []
    /// Once it is decided.
    private var layout: TableLayout?
    private var rowCount = 0

    /// Keys that occur twice, as in a SQL join, are numbered: `name`, `name_2`.
    init(_ columns: [Column], format: OutputFormat, rowsHeld: Int = .max, output: Output, terminal: Terminal) {
        var taken: Set<String> = []
        self.columns = columns.map { column in
            var key = column.key
            var number = 2
            while !taken.insert(key).inserted {
                key = "\(column.key)_\(number)"
                number += 1
            }
            return Column(column.title, key: key, alignment: column.alignment, isFlexible: column.isFlexible, audience: column.audience)
        }
        self.format = format
        self.rowsHeld = rowsHeld
        self.output = output
        self.terminal = terminal
    }

    /// Takes one cell for each column.
    func append(_ row: [Cell]) throws {
        precondition(row.count == columns.count, "a row of \(row.count) cells in a table of \(columns.count) columns")
        switch format {
        case .table:
            if let layout { try output.write(layout.line(row, isLate: true)) } else { held.append(row) }
            if held.count >= rowsHeld { try layOut() }
        case .json: try output.write((rowCount == 0 ? "[\n" : ",\n") + object(of: columns, row))
        case .jsonl: try output.write(object(of: columns, row) + "\n")
        case .csv:
            if rowCount == 0 { try csvHeader() }
            try output.write(csvLine(zip(columns, row).filter { $0.0.audience != .people }.map { csvField($0.1) }))
        }
        rowCount += 1
    }

    func finish() throws {
        switch format {
        case .table: if layout == nil { try layOut() }
        case .json: try output.write(rowCount == 0 ? "[]\n" : "\n]\n")
        case .jsonl: break
        case .csv: if rowCount == 0 { try csvHeader() }
        }
    }

    private func layOut() throws {
        let layout = TableLayout(columns, held, terminal: terminal)
        try output.write(layout.header)
        for row in held { try output.write(layout.line(row)) }
        held = []
        self.layout = layout
    }

    private func csvHeader() throws {
        try output.write(csvLine(columns.filter { $0.audience != .people }.map { quotedForCSV($0.key) }))
    }
}

/// A row as a JSON object; numbers are not rounded.
func object(of columns: [Column], _ row: [Cell], indentation: Int? = nil) -> String {
    var writer = JSONWriter(indentation: indentation)
    writer.object { writer in
        for (column, cell) in zip(columns, row) where column.audience != .people {
            switch cell {
            case .text(let text): writer.member(column.key, text)
            case .integer(let value, _): writer.member(column.key, value)
            case .real(let value, _): writer.member(column.key, value)
            case .boolean(let value): writer.member(column.key, value)
            case .excerpt(let excerpt): writer.member(column.key, excerpt.text)
            case .series(let values):
                writer.key(column.key)
                writer.array { for value in values { $0.value(value) } }
            case .missing: writer.member(column.key, String?.none)
            }
        }
    }
    return writer.text
}

private func csvLine(_ fields: [String]) -> String { fields.joined(separator: ",") + "\n" }

/// Quoted as RFC 4180 says; a missing value is empty, an empty text is `""`.
private func csvField(_ cell: Cell) -> String {
    switch cell {
    case .text(let text): quotedForCSV(text)
    case .integer(let value, _): String(value)
    case .real(let value, _): value.isFinite ? value.argument : ""
    case .boolean(let value): value ? "true" : "false"
    case .excerpt(let excerpt): quotedForCSV(excerpt.text)
    case .series(let values): quotedForCSV("[" + values.map { $0.isFinite ? $0.argument : "null" }.joined(separator: ",") + "]")
    case .missing: ""
    }
}

private func quotedForCSV(_ text: String) -> String {
    let needsQuotes = text.isEmpty || text.hasPrefix(" ") || text.hasSuffix(" ")
        || text.utf8.contains { $0 == UInt8(ascii: ",") || $0 == UInt8(ascii: "\"") || $0 == 0x0a || $0 == 0x0d }
    guard needsQuotes else { return text }
    // By byte: to Swift, a mark behind a quote is one character with it.
    var quoted = [UInt8(ascii: "\"")]
    for byte in text.utf8 {
        if byte == UInt8(ascii: "\"") { quoted.append(byte) }
        quoted.append(byte)
    }
    quoted.append(UInt8(ascii: "\""))
    return String(decoding: quoted, as: UTF8.self)
}

/// Rows under their titles, in columns; flexible columns are cut until a row fits the terminal. A file or a pipe has no width
/// to fit: there every cell is written whole.
private struct TableLayout {
    private let columns: [Column]
    private let terminal: Terminal
    /// Places of the columns that people see.
    private let seen: [Int]
    private let widths: [Int]
    private let isRight: [Bool]

    /// - Parameter rows: those that columns are made to fit.
    init(_ columns: [Column], _ rows: [[Cell]], terminal: Terminal) {
        (self.columns, self.terminal) = (columns, terminal)
        let seen = columns.indices.filter { columns[$0].audience != .programs }
        var widths = seen.map { index in
            rows.reduce(visibleWidth(of: columns[index].title, upTo: widthLimit)) { max($0, $1[index].naturalWidth(terminal: terminal)) }
        }
        var excess = terminal.isTerminal ? widths.reduce(0, +) + TableLayout.gap * (seen.count - 1) - terminal.width : 0
        while excess > 0 {
            let shrinkable = seen.indices.filter { columns[seen[$0]].isFlexible && widths[$0] > 8 }
            guard let widest = shrinkable.max(by: { widths[$0] < widths[$1] }) else { break }
            widths[widest] -= 1
            excess -= 1
        }
        isRight = seen.map { index in
            switch columns[index].alignment {
            case .left: false
            case .right: true
            case .automatic: rows.contains { $0[index].isNumber } && rows.allSatisfy { $0[index].isNumber || $0[index] == .missing }
            }
        }
        (self.seen, self.widths) = (seen, widths)
    }

    private static let gap = 2

    var header: String {
        line(seen.enumerated().map { place, index in
            let title = truncated(columns[index].title, width: terminal.isTerminal ? widths[place] : .max)
            return (terminal.style.bold(title), displayWidth(of: title))
        })
    }

    /// - Parameter isLate: columns were not made to fit it: a number that is wider than its column is still printed whole.
    func line(_ row: [Cell], isLate: Bool = false) -> String {
        line(seen.enumerated().map { place, index in
            let cell = row[index]
            return cell.shown(width: !terminal.isTerminal || isLate && cell.isNumber ? .max : widths[place], terminal: terminal)
        })
    }

    private func line(_ texts: [(text: String, width: Int)]) -> String {
        var line = ""
        var pending = 0
        for (place, cell) in texts.enumerated() {
            let padding = max(0, widths[place] - cell.width)
            if place > 0 { pending += TableLayout.gap }
            if isRight[place] { pending += padding }
            // Spaces are written when something follows them, so that no line ends in them.
            if !cell.text.isEmpty {
                line += spaces(pending)
                line += cell.text
                pending = 0
            } else { pending += cell.width }
            if !isRight[place] { pending += padding }
        }
        line += "\n"
        return line
    }
}

/// No column is made wider: nobody reads a row of a thousand columns, and one long text would fill every other row with spaces.
private let widthLimit = 400

extension Cell {
    /// What people see of the cell in at most `width` columns, and how many it takes.
    func shown(width: Int, terminal: Terminal) -> (text: String, width: Int) {
        let style = terminal.style
        switch self {
        case .excerpt(let excerpt):
            // Without colours the focus stands between marks.
            let marks = style.isOn ? 0 : 2
            let mark: (String) -> String = { style.isOn ? style.highlight($0) : "«\($0)»" }
            let bare = truncated(excerpt, width: max(1, width - marks)) { $0 }
            let text = truncated(excerpt, width: max(1, width - marks), mark: mark)
            return (terminal.isolated(text), displayWidth(of: bare) + marks)
        case .series(let values):
            let text = sparkline(values, width: width)
            return (text, displayWidth(of: text))
        case .missing: return (style.dim("-"), 1)
        default:
            let text = truncated(plain, width: width)
            return (terminal.isolated(text), displayWidth(of: text))
        }
    }

    fileprivate func naturalWidth(terminal: Terminal) -> Int {
        switch self {
        case .excerpt(let excerpt): visibleWidth(of: excerpt.text, upTo: widthLimit) + (terminal.hasColour ? 0 : 2)
        case .series(let values): min(values.count, widthLimit)
        default: visibleWidth(of: plain, upTo: widthLimit)
        }
    }

    private var plain: String {
        switch self {
        case .text(let text): text
        case .integer(let value, let format): format.text(Int64(value))
        case .real(let value, let format): format.text(value)
        case .boolean(let value): value ? "yes" : "no"
        case .excerpt(let excerpt): excerpt.text
        case .series, .missing: "-"
        }
    }
}

extension Terminal {
    /// Keeps text that runs from right to left from reordering the row around it, where a person looks.
    func isolated(_ text: String) -> String {
        isTerminal && isRightToLeft(text) ? "\u{2068}\(text)\u{2069}" : text
    }
}
