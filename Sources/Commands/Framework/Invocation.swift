/// One call of a command: its values and where its answer goes.
struct Invocation {
    let values: ParameterValues
    /// Standard output, buffered; what it holds is written when the command returns.
    let output: Output
    /// Standard error.
    let errors: Output
    /// The facts of standard output.
    let terminal: Terminal
    /// The facts of standard error, for progress.
    let errorTerminal: Terminal
    let environment: Environment

    /// The value of a parameter that the command declares, or of a global option.
    subscript<P: Parameter>(parameter: P) -> P.Value { values[parameter] }

    /// Whether the command line names the parameter, rather than leaving it to its default.
    func isGiven(_ parameter: some Parameter) -> Bool { values.isGiven(parameter) }

    /// Colours for standard output; none where it has none.
    var style: Style { terminal.style }

    /// Prints one line of prose.
    func print(_ line: String = "") throws { try output.write(line + "\n") }

    /// Prints a table in the format that `Shared.format` asks for; the command must declare it.
    func print(_ table: Table) throws { try table.write(to: output, format: self[Shared.format], terminal: terminal) }

    /// Prints facts in the format that `Shared.format` asks for; the command must declare it.
    func print(_ facts: Facts) throws { try facts.write(to: output, format: self[Shared.format], terminal: terminal) }

    /// A table that takes its rows one by one, for answers too long for memory.
    ///
    /// - Parameter rowsHeld: for people, columns are made to fit so many rows; what follows is printed at once.
    func tableWriter(_ columns: [Column], rowsHeld: Int = .max) -> TableWriter {
        TableWriter(columns, format: self[Shared.format], rowsHeld: rowsHeld, output: output, terminal: terminal)
    }

    /// Says something beside the answer, on standard error.
    func note(_ text: String) { errors.say("monoseme: " + visible(text) + "\n") }

    /// A progress line on standard error; silent where that is not a terminal.
    func progress(_ title: String, total: Int?, unit: String) -> ProgressReporter {
        ProgressReporter(title, total: total, unit: unit, output: errors, terminal: errorTerminal)
    }
}

/// The parameters that many commands have in common.
enum Shared {
    static let catalogue = Option<String>(
        "--catalogue", value: "FILE", default: "catalogue.sqlite", variable: "MONOSEME_CATALOGUE", section: .global,
        help: "The catalogue to work with")

    static let color = Option<ColorChoice>("--color", default: .auto, section: .global, help: "Colours in what is printed")

    /// For every command that answers with a table or facts.
    static let format = FlagChoice<OutputFormat>(default: .table, section: .output, [
        ("--table", .table, "Print aligned columns, for people (default)"),
        ("--json", .json, "Print one JSON document"),
        ("--jsonl", .jsonl, "Print one JSON object on each line"),
        ("--csv", .csv, "Print comma-separated values with a header line"),
    ])

    /// What every command accepts, before and after its name.
    static let global: [any Parameter] = [catalogue, color]
}

enum ColorChoice: String, CaseIterable, ArgumentValue { case auto, always, never }
