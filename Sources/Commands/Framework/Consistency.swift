import Diagnostics

extension Program {
    /// What is wrong with the declarations, one sentence each; a test demands that there is nothing.
    ///
    /// Among others: every command has an example, and every example is understood by the parser.
    func faults() -> [String] {
        var faults: [String] = []
        let names = declarations.map(\.name)
        for name in Set(names).sorted() where names.count(where: { $0 == name }) > 1 { faults.append("two commands are called \(name)") }
        for command in declarations {
            func fault(_ text: String) { faults.append("\(command.name): \(text)") }
            let forms = (command.parameters + global).flatMap(\.forms)
            let spelled = forms.flatMap(\.names) + ["--help", "-h"]
            for name in Set(spelled).sorted() where spelled.count(where: { $0 == name }) > 1 { fault("\(name) is declared twice") }
            for name in spelled where !isOptionName(name) || name == "--" || (!name.hasPrefix("--") && name.count != 2) {
                fault("\(name) is neither -x nor --name")
            }
            let arguments = forms.filter(\.isPositional)
            for (argument, next) in zip(arguments, arguments.dropFirst()) {
                if argument.isRepeatable { fault("\(argument.placeholder) leaves nothing for \(next.placeholder)") }
                if !argument.isRequired, next.isRequired { fault("\(next.placeholder) is required behind the optional \(argument.placeholder)") }
            }
            for text in [command.summary] + forms.map(\.help) where text.isEmpty || text.hasSuffix(".") {
                fault("\(quoted(text)) should be a clause without a full stop")
            }
            if command.summary.count > 70 { fault("the summary is longer than 70 characters") }
            if command.examples.isEmpty { fault("no example") }
            for example in command.examples {
                do { try check(example.line, of: command) } catch {
                    fault("example \(quoted(example.line)): \((error as? UsageError)?.message ?? "\(error)")")
                }
            }
        }
        return faults
    }

    /// The commands as a Markdown table, for the README.
    func commandTable() -> String {
        declarations.reduce("| command | what it does |\n|---|---|\n") { table, command in
            table + "| `\(name) \(command.name)` | \(command.summary) |\n"
        }
    }

    private func check(_ line: String, of command: Declaration) throws {
        let words = shellWords(line)
        guard let start = words.firstIndex(of: name) else { throw UsageError("does not call \(name)") }
        let rest = Array(words[(start + 1)...])
        guard let at = try commandIndex(in: rest), case let (called, length) = try self.command(at: at, in: rest), called.declaration.name == command.name
        else { throw UsageError("does not call \(command.name)") }
        _ = try parse(Array(rest[..<at] + rest[(at + length)...]), parameters: command.parameters + global, environment: Environment([:]))
    }
}

/// The words of a simple shell command: quotes are taken off, and it ends at a pipe, a redirection or `;`.
func shellWords(_ line: String) -> [String] {
    var words: [String] = []
    var word: String?
    var quote: Character?
    for character in line {
        if let open = quote {
            if character == open { quote = nil } else { word = (word ?? "") + String(character) }
        } else if character == "'" || character == "\"" {
            quote = character
            word = word ?? ""
        } else if character == " " {
            if let finished = word { words.append(finished) }
            word = nil
        } else if "|<>;&".contains(character) {
            break
        } else {
            word = (word ?? "") + String(character)
        }
    }
    return words + (word.map { [$0] } ?? [])
}
