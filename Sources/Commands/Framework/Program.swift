import Diagnostics
import FeatureCatalogue
import Glibc
import SQLite

/// The commands of a program, and the way from its arguments to an exit status.
struct Program: Sendable {
    struct Chapter: Sendable {
        let title: String
        let commands: [any Command.Type]

        init(_ title: String, _ commands: [any Command.Type]) {
            self.title = title
            self.commands = commands
        }
    }

    let name: String
    let version: String
    /// One line without a full stop.
    let summary: String
    /// The commands as the general help groups them.
    let chapters: [Chapter]
    /// What every command accepts, before and after its name.
    let global: [any Parameter]

    init(_ name: String, version: String, summary: String, chapters: [Chapter], global: [any Parameter] = Shared.global) {
        self.name = name
        self.version = version
        self.summary = summary
        self.chapters = chapters
        self.global = global
    }

    var commands: [any Command.Type] { chapters.flatMap(\.commands) }
    var declarations: [Declaration] { commands.map { $0.declaration } }

    /// Runs the process's own command line, without the program's name.
    ///
    /// Exit status: 0 done, or the reader of the output has gone; 1 failed; 2 the command line was not understood; 130 stopped by
    /// Ctrl-C (143 by SIGTERM) where a command ends itself.
    func run(_ words: [String]) -> Int32 {
        signal(SIGPIPE, SIG_IGN)
        // A limit on file size (ulimit -f) then fails the write, which we can explain, instead of ending us.
        signal(SIGXFSZ, SIG_IGN)
        occupyStandardDescriptors()
        return run(
            words, environment: .process, output: .standardOutput(), errors: .standardError(),
            terminal: Terminal(descriptor: 1, environment: .process), errorTerminal: Terminal(descriptor: 2, environment: .process))
    }

    /// The same, with everything it touches handed in.
    func run(
        _ words: [String], environment: Environment, output: Output, errors: Output, terminal: Terminal, errorTerminal: Terminal
    ) -> Int32 {
        do {
            try answer(words, environment, output, errors, terminal, errorTerminal)
            try output.flush()
            return 0
        } catch is BrokenPipe {
            return 0
        } catch let interruption as Interrupted {
            try? output.flush()
            report("interrupted", nil, to: errors)
            return 128 + interruption.signal
        } catch let error as UsageError {
            try? output.flush()
            report(error.message, error.hint, to: errors)
            return 2
        } catch {
            // What was answered before the failure belongs before the message.
            do { try output.flush() } catch is BrokenPipe { return 0 } catch {}
            let known = error as? MonosemeError
            report(known?.message ?? "\(error)", known?.hint, to: errors)
            return 1
        }
    }

    private func answer(
        _ words: [String], _ environment: Environment, _ output: Output, _ errors: Output, _ terminal: Terminal, _ errorTerminal: Terminal
    ) throws {
        let options = words.prefix { $0 != "--" }
        let painted = terminal.painted(colorChoice(in: Array(options)))
        let wantsHelp = options.contains("--help") || options.contains("-h")
        guard let at = try commandIndex(in: words) else {
            if options.contains("--version") { return try output.write("\(name) \(version)\n") }
            if wantsHelp { return try output.write(help(for: self, terminal: painted)) }
            throw UsageError("no command given", hint: "`\(name) --help` lists the commands")
        }
        if words[at] == "help", !commands.contains(where: { $0.declaration.name == "help" }) {
            guard at + 1 < words.count, !isOptionName(words[at + 1]) else { return try output.write(help(for: self, terminal: painted)) }
            return try output.write(help(for: command(at: at + 1, in: words).command.declaration, of: self, terminal: painted))
        }
        let (command, length) = try command(at: at, in: words)
        let declaration = command.declaration
        if wantsHelp { return try output.write(help(for: declaration, of: self, terminal: painted)) }
        do {
            let words = Array(words[..<at] + words[(at + length)...])
            let values = try parse(words, parameters: declaration.parameters + global, environment: environment)
            do {
                try command.run(Invocation(
                    values: values, output: output, errors: errors, terminal: painted, errorTerminal: errorTerminal, environment: environment))
            } catch let error as SQLiteError {
                throw explain(error, in: values[Shared.catalogue])
            }
        } catch let error as UsageError {
            let place = "ee `\(name) \(declaration.name) --help`"
            throw UsageError(error.message, hint: error.hint.map { $0.hasSuffix("?") ? "\($0) S\(place)" : "\($0); s\(place)" } ?? "s\(place)")
        }
    }

    /// The command whose name begins at a word, and the words of its name: `lineage build` is one, `lineage` another.
    func command(at place: Int, in words: [String]) throws -> (command: any Command.Type, length: Int) {
        let word = words[place]
        for length in [2, 1] where place + length <= words.count {
            let name = words[place..<place + length].joined(separator: " ")
            if let command = commands.first(where: { $0.declaration.name == name }) { return (command, length) }
        }
        let list = "`\(name) --help` lists the commands"
        // The first word of several commands: say which there are.
        let family = declarations.map(\.name).filter { $0.hasPrefix(word + " ") }
        if !family.isEmpty {
            let second = place + 1 < words.count && !isOptionName(words[place + 1]) ? words[place + 1] : nil
            let near = second.flatMap { nearest(to: $0, among: family.map { String($0.dropFirst(word.count + 1)) }) }
            throw UsageError(second.map { "unknown command \(quoted("\(word) \($0)"))" } ?? "\(quoted(word)) alone is no command",
                             hint: (near.map { "did you mean \(word) \($0)? There" } ?? "there") + " are \(family.joined(separator: ", ")); \(list)")
        }
        let near = nearest(to: word, among: declarations.map(\.name))
        throw UsageError("unknown command \(quoted(word))", hint: near.map { "did you mean \($0)? \(list)" } ?? list)
    }

    /// Where the command's name stands, behind global options; `nil` if there is none.
    func commandIndex(in words: [String]) throws -> Int? {
        var at = 0
        while at < words.count, isOptionName(words[at]) {
            let word = words[at]
            if word == "--" { return at + 1 < words.count ? at + 1 : nil }
            let typed = word.split(separator: "=", maxSplits: 1).first.map(String.init) ?? word
            if let form = global.flatMap(\.forms).first(where: { $0.names.contains(typed) }) {
                at += form.intake == .nothing || typed != word ? 1 : 2
            } else if ["--help", "-h", "--version"].contains(word) {
                at += 1
            } else {
                let near = nearest(to: typed, among: global.flatMap(\.forms).flatMap(\.names) + ["--help", "--version"])
                let order = "a command's own options follow its name"
                throw UsageError("unknown option \(quoted(typed)) before the command", hint: near.map { "did you mean \($0)? \(order)" } ?? order)
            }
        }
        return at < words.count ? at : nil
    }

    /// What `--color` asks for, read before the command line is understood: help wants it too.
    private func colorChoice(in words: [String]) -> ColorChoice {
        for (place, word) in words.enumerated().reversed() {
            if word.hasPrefix("--color=") { return ColorChoice(rawValue: String(word.dropFirst(8))) ?? .auto }
            if word == "--color", place + 1 < words.count { return ColorChoice(rawValue: words[place + 1]) ?? .auto }
        }
        return .auto
    }

    private func report(_ message: String, _ hint: String?, to errors: Output) {
        errors.say("\(name): \(visible(message))\n" + (hint.map { "  hint: \(visible($0))\n" } ?? ""))
    }
}

/// Fills descriptors 0 to 2 where the caller has closed them.
///
/// Otherwise the first file that is opened, a catalogue perhaps, would become standard output. Opened for the wrong
/// direction, so that using them still fails.
private func occupyStandardDescriptors() {
    for descriptor: Int32 in 0...2 where fcntl(descriptor, F_GETFD) == -1 {
        _ = open("/dev/null", descriptor == 0 ? O_WRONLY : O_RDONLY)
    }
}
