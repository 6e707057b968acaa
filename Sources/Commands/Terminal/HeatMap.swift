/// Values in rows and columns, drawn as shaded cells: blocks that are told apart without colour, and coloured where there is any.
struct HeatMap: Sendable {
    struct Row: Sendable {
        /// Rows of one group stand together; the first names it.
        let group: String
        let name: String
        /// Behind the cells, as far as there is room.
        let note: String
        let cells: [Cell]
    }

    enum Cell: Sendable, Equatable {
        case empty
        /// 0 … 3, the palest first.
        case shade(Int)
    }

    /// Over the columns; as many as each row has cells.
    let heads: [String]
    let rows: [Row]

    /// Levels in order, for a legend.
    static let blocks: [Character] = ["░", "▒", "▓", "█"]

    /// Columns of the terminal between the margin and the notes.
    private static let noteWidth = 12
    private static let letters = 7

    /// The drawing, and how many columns fit: those behind them are left out.
    func drawn(_ terminal: Terminal) -> (text: String, columns: Int) {
        let groupWidth = min(12, rows.map { visibleWidth(of: $0.group, upTo: 12) }.max() ?? 0), nameWidth = rows.map { visibleWidth(of: $0.name, upTo: 40) }.max() ?? 0
        let margin = groupWidth + nameWidth + 4
        let room = max(8, terminal.width - margin - HeatMap.noteWidth)
        // A head is written from top to bottom where columns are narrow, one character a line.
        let shown = heads.map { Array(visible($0)) }
        let least = shown.contains { $0.prefix(HeatMap.letters).contains { columns(of: $0) > 1 } } ? 3 : 1
        let fitting = min(heads.count, max(1, room / least)), width = max(least, min(6, room / max(1, fitting)))
        let gap = width > 1 ? 1 : 0
        var lines = headLines(Array(shown[..<fitting]), width, gap).map { spaces(margin) + $0 }
        var group: String?
        for row in rows {
            let title = row.group == group ? "" : truncated(row.group, width: groupWidth)
            group = row.group
            let name = truncated(row.name, width: nameWidth), style = terminal.style
            var line = terminal.isolated(title) + spaces(groupWidth - displayWidth(of: title) + 2) + name + spaces(nameWidth - displayWidth(of: name) + 2)
            for cell in row.cells.prefix(fitting) { line += draw(cell, width - gap, style) + spaces(gap) }
            let note = truncated(row.note, width: terminal.isTerminal ? max(0, terminal.width - margin - fitting * width - 1) : 24)
            lines.append(withoutTrailingSpaces(line + " " + terminal.isolated(style.dim(note))))
        }
        return (lines.map { $0 + "\n" }.joined(), fitting)
    }

    private func headLines(_ heads: [[Character]], _ width: Int, _ gap: Int) -> [String] {
        if width - gap >= 3 {
            return [withoutTrailingSpaces(heads.map { head in
                // Without an ellipsis: of three letters it would take one.
                var text = "", room = width - gap
                for letter in head where columns(of: letter) <= room { text.append(letter); room -= columns(of: letter) }
                return text + spaces(room + gap)
            }.joined())]
        }
        let height = min(HeatMap.letters, heads.map(\.count).max() ?? 0)
        return (0..<height).map { line in
            withoutTrailingSpaces(heads.map { head in
                let letter = line < head.count ? String(head[line]) : ""
                return letter + spaces(width - displayWidth(of: letter))
            }.joined())
        }
    }

    private func draw(_ cell: Cell, _ width: Int, _ style: Style) -> String {
        switch cell {
        case .empty: spaces(width)
        case .shade(let level): style.shade(String(repeating: HeatMap.blocks[level], count: width), level)
        }
    }
}
