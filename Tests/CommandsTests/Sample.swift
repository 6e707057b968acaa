@testable import Commands
import Diagnostics

/// A command with one parameter of every kind, and nothing behind it.
enum Sample: Command {
    enum Order: String, CaseIterable, ArgumentValue { case density, maximum, index }

    static let feature = Argument<String>("FEATURE", help: "The feature to start from, such as A/1/2357")
    static let others = Argument<[String]>("OTHER", help: "Features to compare it with")
    static let model = Option<String>("--model", value: "DIR", help: "The folder of the language model")
    static let saes = Option<[String]>("--sae", value: "DIR", isRequired: true, help: "A folder with a sparse autoencoder")
    static let corpus = Option<[String]>("--corpus", value: "PATH", intake: .several, help: "Files and folders of text")
    static let k = Option<Int>("-k", value: "N", default: 10, in: 1...100, help: "How many neighbours to print")
    static let within = Option<String?>("--in", value: "DICT", help: "Look in this dictionary only")
    static let vector = Option<String?>("--vector", value: "FILE", help: "A vector instead of a feature; - reads standard input")
    static let order = Option<Order>("--sort", default: .density, help: "What to sort by")
    static let threshold = Option<Double?>("--threshold", value: "COSINE", in: -1...1, help: "Leave out what is less alike")
    static let file = Option<String?>("--output", "-o", value: "FILE", help: "Write here instead of to standard output, which is convenient where a shell is not at hand")
    static let strict = Flag("--strict", help: "Refuse what is doubtful")

    static let declaration = Declaration(
        "sample", summary: "show what the framework can do",
        discussion: """
            A command of the tests. Its discussion is long enough to be wrapped at the width
            of the terminal.

            It has two paragraphs.
            """,
        parameters: [feature, others, model, saes, corpus, k, within, vector, order, threshold, file, strict, Shared.format],
        examples: [
            ("monoseme sample A/1/2357 --model gpt2 --sae run-1 -k 3", "The three nearest"),
            ("monoseme sample 'A 1' --model m --sae a --sae b --jsonl | head -3", "Two dictionaries at once, as JSON Lines"),
        ])

    static func run(_ invocation: Invocation) throws {
        switch invocation[feature] {
        case "fail": throw MonosemeError(#"no dictionary "A/7" in catalogue.sqlite"#, hint: "`monoseme dictionaries` lists them")
        case "usage": throw UsageError("--vector and FEATURE exclude each other")
        case "flood":
            for _ in 0..<100_000 { try invocation.print("a line that nobody reads to its end") }
        default:
            var table = Table([Column("feature"), Column("score"), Column("tokens")])
            for place in 0..<min(invocation[k], 3) { table.append([.text("A/1/\(place)"), .real(1 / Double(place + 3), .fixed(3)), .integer(1_048_576 * place)]) }
            try invocation.print(table)
        }
    }
}

enum Plain: Command {
    static let declaration = Declaration("plain", summary: "take nothing and say little", examples: [("monoseme plain", "Just so")])
    static func run(_ invocation: Invocation) throws { try invocation.print(invocation.style.bold("catalogue: ") + invocation[Shared.catalogue]) }
}

let sampleProgram = Program(
    "monoseme", version: "1.2.3", summary: "SQLite for sparse-autoencoder features",
    chapters: [.init("Look at features", [Sample.self]), .init("Everything else", [Plain.self])])

/// What a run of `sampleProgram` printed, and how it ended.
struct Transcript: Equatable {
    var status: Int32
    var output = ""
    var errors = ""
}

func transcript(_ line: String, environment: [String: String] = [:], terminal: Terminal = .plain) -> Transcript {
    let output = Output.memory(), errors = Output.memory()
    let status = sampleProgram.run(
        shellWords(line), environment: Environment(environment), output: output, errors: errors, terminal: terminal, errorTerminal: .plain)
    return Transcript(status: status, output: output.text, errors: errors.text)
}
