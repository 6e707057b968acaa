/// One command of the program: a declaration, and what it does with the values that came in.
///
/// The declaration is the only place that names the options; the parser, `--help`, the golden help texts and the
/// README's list are all read from it. `run` should be one call of a library and the printing of its answer.
protocol Command: SendableMetatype {
    static var declaration: Declaration { get }
    /// Errors: `MonosemeError` for what failed (exit 1), `UsageError` for a command line that makes no sense (exit 2).
    static func run(_ invocation: Invocation) throws
}

/// What a command is called, what it takes and how it is used.
struct Declaration: Sendable {
    let name: String
    /// One line without a full stop, for the list of commands.
    let summary: String
    /// Paragraphs, separated by empty lines; single line breaks are free, the text is wrapped again.
    let discussion: String
    /// In the order in which help lists them; arguments are filled in this order.
    ///
    /// Made when asked for: of all commands' parameters, a run needs those of one.
    var parameters: [any Parameter] { makeParameters() }
    private let makeParameters: @Sendable () -> [any Parameter]
    /// Command lines that work, and what each is for; a test runs them through the parser.
    let examples: [(line: String, purpose: String)]

    init(
        _ name: String, summary: String, discussion: String = "", parameters: @autoclosure @escaping @Sendable () -> [any Parameter] = [],
        examples: [(line: String, purpose: String)]
    ) {
        self.name = name
        self.summary = summary
        self.discussion = discussion
        makeParameters = parameters
        self.examples = examples
    }
}

/// A command line that was not understood: exit status 2.
struct UsageError: Error, Equatable {
    let message: String
    let hint: String?

    init(_ message: String, hint: String? = nil) {
        self.message = message
        self.hint = hint
    }
}
