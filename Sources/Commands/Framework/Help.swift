/// The text of `monoseme COMMAND --help`.
func help(for command: Declaration, of program: Program, terminal: Terminal) -> String {
    var page = HelpPage(terminal: terminal)
    page.opening("\(program.name) \(command.name)", command.summary)
    page.usage(["\(program.name) \(command.name)"] + synopsis(of: command.parameters))
    page.prose(command.discussion)
    for section in HelpSection.allCases where section != .global {
        page.list(section.rawValue, command.parameters.filter { $0.section == section }.flatMap(\.forms).map(entry))
    }
    page.list(HelpSection.global.rawValue, program.global.flatMap(\.forms).map(entry) + [HelpPage.help])
    page.examples(command.examples)
    page.exitStatus()
    return page.text
}

/// The text of `monoseme --help`.
func help(for program: Program, terminal: Terminal) -> String {
    var page = HelpPage(terminal: terminal)
    page.opening(program.name, program.summary)
    page.usage(["\(program.name) COMMAND", "[options]"])
    // One column for all chapters: they are read as one list.
    let column = program.declarations.map(\.name.count).max() ?? 0
    for chapter in program.chapters {
        page.list(chapter.title, chapter.commands.map { ($0.declaration.name, $0.declaration.summary) }, column: column)
    }
    page.list(HelpSection.global.rawValue, program.global.flatMap(\.forms).map(entry) + [HelpPage.help, ("--version", "Print the version")])
    page.prose("`\(program.name) COMMAND --help` tells more about a command, with examples.")
    page.exitStatus()
    return page.text
}

/// What follows the command's name in its usage line: all that is required, and a word for the rest.
private func synopsis(of parameters: [any Parameter]) -> [String] {
    var parts: [String] = []
    var hasMore = false
    for form in parameters.flatMap(\.forms) {
        let several = form.intake == .several || form.intake == .positional(.many) ? "…" : ""
        switch form.intake {
        case .positional: parts.append(form.isRequired ? form.placeholder + several : "[\(form.placeholder)\(several)]")
        case _ where form.isRequired: parts.append("\(form.names[0]) \(form.placeholder)\(several)")
        default: hasMore = true
        }
    }
    return parts + (hasMore ? ["[options]"] : [])
}

/// A form's two columns: how it is written, and what it does.
private func entry(_ form: ParameterForm) -> (String, String) {
    let names = form.names.sorted { $0.count < $1.count }.joined(separator: ", ")
    return switch form.intake {
    case .nothing: (names, form.help)
    case .one: ("\(names) \(form.placeholder)", form.help)
    case .several: ("\(names) \(form.placeholder)…", form.help)
    case .positional(let multiplicity): (form.placeholder + (multiplicity == .many ? "…" : ""), form.help)
    }
}

/// Lays out a page of help: blocks with an empty line between them, wrapped to the terminal.
private struct HelpPage {
    static let help = ("-h, --help", "Print this help")

    private(set) var text = ""
    private let style: Style
    private let width: Int

    init(terminal: Terminal) {
        style = terminal.style
        // Long lines are hard to read, however wide the window is.
        width = min(max(terminal.width, 40), 100)
    }

    mutating func opening(_ name: String, _ summary: String) {
        let lines = wrapped("\(name): \(summary)", width: width)
        text += lines.joined(separator: "\n") + "\n"
    }

    /// `parts` are kept whole.
    mutating func usage(_ parts: [String]) {
        let heading = "Usage: "
        var line = heading + parts[0]
        let hanging = String(repeating: " ", count: displayWidth(of: line) + 1 > width / 2 ? heading.count + 2 : displayWidth(of: line) + 1)
        var lines: [String] = []
        for part in parts.dropFirst() {
            if displayWidth(of: line) + 1 + displayWidth(of: part) > width {
                lines.append(line)
                line = hanging + part
            } else {
                line += " " + part
            }
        }
        lines.append(line)
        lines[0] = style.bold("Usage:") + lines[0].dropFirst(6)
        block(lines)
    }

    mutating func prose(_ prose: String) {
        for paragraph in prose.split(separator: "\n\n") { block(wrapped(String(paragraph), width: width)) }
    }

    mutating func list(_ title: String, _ entries: [(String, String)], column: Int = 0) {
        guard !entries.isEmpty else { return }
        let column = min(entries.reduce(column) { max($0, displayWidth(of: $1.0)) }, 28)
        var lines = [style.bold(title + ":")]
        for (left, right) in entries {
            var rest = wrapped(right, width: width - column - 4)[...]
            let overhang = displayWidth(of: left) > column
            if overhang || rest.isEmpty {
                lines.append("  " + left)
            } else {
                lines.append("  " + left + spaces(column - displayWidth(of: left) + 2) + rest.removeFirst())
            }
            lines += rest.map { spaces(column + 4) + $0 }
        }
        block(lines)
    }

    mutating func examples(_ examples: [(line: String, purpose: String)]) {
        guard !examples.isEmpty else { return }
        var lines = [style.bold("Examples:")]
        for example in examples {
            lines += wrapped(example.purpose, width: width - 4).map { style.dim("  # " + $0) }
            // Not wrapped: an example is there to be copied.
            lines.append("  " + example.line)
        }
        block(lines)
    }

    mutating func exitStatus() {
        block(wrapped("Exit status: 0 done, 1 failed, 2 the command line was not understood.", width: width))
    }

    private mutating func block(_ lines: [String]) { text += "\n" + lines.joined(separator: "\n") + "\n" }
}

/// `text` in lines of at most `width` columns, broken at spaces; a longer word has a line of its own.
func wrapped(_ text: String, width: Int) -> [String] {
    var lines: [String] = []
    var line = ""
    var used = 0
    for word in text.split(whereSeparator: { $0 == " " || $0 == "\n" }) {
        let columns = displayWidth(of: word)
        if used > 0, used + 1 + columns > width {
            lines.append(line)
            (line, used) = ("", 0)
        }
        line += (used > 0 ? " " : "") + word
        used += (used > 0 ? 1 : 0) + columns
    }
    return used > 0 ? lines + [line] : lines
}
