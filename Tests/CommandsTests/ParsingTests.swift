@testable import Commands
import Testing

/// The sample's values, in words.
private struct Reading: Equatable, CustomStringConvertible {
    var feature: String, others: [String], model: String, saes: [String], corpus: [String], k: Int, within: String?
    var vector: String?, order: Sample.Order, threshold: Double?, file: String?, strict: Bool, format: OutputFormat

    init(_ values: ParameterValues) {
        feature = values[Sample.feature]
        others = values[Sample.others]
        model = values[Sample.model]
        saes = values[Sample.saes]
        corpus = values[Sample.corpus]
        k = values[Sample.k]
        within = values[Sample.within]
        vector = values[Sample.vector]
        order = values[Sample.order]
        threshold = values[Sample.threshold]
        file = values[Sample.file]
        strict = values[Sample.strict]
        format = values[Shared.format]
    }

    var description: String {
        "\(feature)\(others) \(model) \(saes) \(corpus) k=\(k) in=\(within ?? "-") v=\(vector ?? "-") \(order) t=\(threshold.map { "\($0)" } ?? "-") o=\(file ?? "-") \(strict ? "strict" : "lax") \(format)"
    }
}

private func read(_ line: String) throws -> Reading {
    Reading(try parse(shellWords(line), parameters: Sample.declaration.parameters + Shared.global, environment: Environment([:])))
}

@Suite struct ParsingTests {
    @Test(arguments: [
        ("f --model m --sae a", #"f[] m ["a"] [] k=10 in=- v=- density t=- o=- lax table"#),
        ("--model m --sae a f", #"f[] m ["a"] [] k=10 in=- v=- density t=- o=- lax table"#),
        ("f --model=m --sae=a --in=A/1", #"f[] m ["a"] [] k=10 in=A/1 v=- density t=- o=- lax table"#),
        ("f g h --model m --sae a --sae b", #"f["g", "h"] m ["a", "b"] [] k=10 in=- v=- density t=- o=- lax table"#),
        ("--corpus x y z --model m --sae a f", #"f[] m ["a"] ["x", "y", "z"] k=10 in=- v=- density t=- o=- lax table"#),
        ("f --model m --sae a --corpus x --strict --corpus y -", #"f[] m ["a"] ["x", "y", "-"] k=10 in=- v=- density t=- o=- strict table"#),
        ("f --model m --sae a --corpus=x y --json", #"f[] m ["a"] ["x", "y"] k=10 in=- v=- density t=- o=- lax json"#),
        ("f --model m --sae a --corpus x -- g -h", #"f["g", "-h"] m ["a"] ["x"] k=10 in=- v=- density t=- o=- lax table"#),
        ("f --model m --sae a -k 3", #"f[] m ["a"] [] k=3 in=- v=- density t=- o=- lax table"#),
        ("f --model m --sae a -k3", #"f[] m ["a"] [] k=3 in=- v=- density t=- o=- lax table"#),
        ("f --model m --sae a -k=100", #"f[] m ["a"] [] k=100 in=- v=- density t=- o=- lax table"#),
        ("f --model m --sae a --vector -", #"f[] m ["a"] [] k=10 in=- v=- density t=- o=- lax table"#),
        ("f --model m --sae a --vector '' -o -", #"f[] m ["a"] [] k=10 in=- v= density t=- o=- lax table"#),
        ("f --model m --sae a --output out", #"f[] m ["a"] [] k=10 in=- v=- density t=- o=out lax table"#),
        ("f --model m --sae a --threshold -.5", #"f[] m ["a"] [] k=10 in=- v=- density t=-0.5 o=- lax table"#),
        ("-3 --model m --sae a --threshold -1e-3", #"-3[] m ["a"] [] k=10 in=- v=- density t=-0.001 o=- lax table"#),
        ("f --model=--odd --sae=a=b", #"f[] --odd ["a=b"] [] k=10 in=- v=- density t=- o=- lax table"#),
        ("f --model m --sae a --sort index --csv --csv", #"f[] m ["a"] [] k=10 in=- v=- index t=- o=- lax csv"#),
        ("--model m --sae a --jsonl -- --strict", #"--strict[] m ["a"] [] k=10 in=- v=- density t=- o=- lax jsonl"#),
        ("'É 漢字' --model m --sae a", #"É 漢字[] m ["a"] [] k=10 in=- v=- density t=- o=- lax table"#),
    ])
    func `a command line becomes typed values`(line: String, reading: String) throws {
        #expect(try read(line).description == reading)
    }

    @Test(arguments: [
        ("", "missing argument FEATURE", nil),
        ("f --sae a", "missing option --model DIR", nil),
        ("f --model m", "missing option --sae DIR", nil),
        ("f --model", "--model needs a value: --model DIR", nil),
        ("f --model --sae a", #"--model needs a value: --model DIR, found "--sae""#, "write --model=--sae if that is the value"),
        ("f --model m --sae a -k", "-k needs a value: -k N", nil),
        ("f --model m --sae a --corpus --strict", #"--corpus needs a value: --corpus PATH, found "--strict""#, "write --corpus=--strict if that is the value"),
        ("f --model m --model n --sae a", #"--model is given twice, as "m" and as "n""#, "it takes one value"),
        ("f --model m --sae a --in x --in x", #"--in is given twice, as "x" and as "x""#, "it takes one value"),
        ("f --model m --sae a -o x --output y", #"-o is given twice, as "x" and as "y""#, "it takes one value"),
        ("f --model m --sae a -k ten", #"-k: found "ten", expected a whole number, 1 to 100"#, nil),
        ("f --model m --sae a -k 0", #"-k: found "0", expected a whole number, 1 to 100"#, nil),
        ("f --model m --sae a -k -1", #"-k: found "-1", expected a whole number, 1 to 100"#, nil),
        ("f --model m --sae a -k 101", #"-k: found "101", expected a whole number, 1 to 100"#, nil),
        ("f --model m --sae a -k 3.5", #"-k: found "3.5", expected a whole number, 1 to 100"#, nil),
        ("f --model m --sae a -k 99999999999999999999", #"-k: found "99999999999999999999", expected a whole number, 1 to 100"#, nil),
        ("f --model m --sae a -k ''", #"-k: found "", expected a whole number, 1 to 100"#, nil),
        ("f --model m --sae a --threshold nan", #"--threshold: found "nan", expected a number, -1 to 1"#, nil),
        ("f --model m --sae a --threshold 1.5", #"--threshold: found "1.5", expected a number, -1 to 1"#, nil),
        ("f --model m --sae a --sort max", #"--sort: found "max", expected one of density, maximum, index"#, "did you mean maximum?"),
        ("f --model m --sae a --sort size", #"--sort: found "size", expected one of density, maximum, index"#, nil),
        ("f --model m --sae a --json --csv", "--json and --csv exclude each other", "keep one of them"),
        ("f --model m --sae a --strict=yes", #"--strict takes no value, found "--strict=yes""#, nil),
        ("f --modle m --sae a", #"unknown option "--modle""#, "did you mean --model?"),
        ("f --model m --sae a --cat x", #"unknown option "--cat""#, "did you mean --catalogue?"),
        ("f --model m --sae a -json", #"unknown option "-json""#, "did you mean --json?"),
        ("f --model m --sae a --k 3", #"unknown option "--k""#, "did you mean -k?"),
        ("f --model m --sae a --frobnicate", #"unknown option "--frobnicate""#, nil),
        ("f --model m --sae a -x", #"unknown option "-x""#, nil),
        ("f --model m --sae a --=x", #"unknown option "--""#, nil),
    ] as [(String, String, String?)])
    func `a bad command line is refused in words`(line: String, message: String, hint: String?) {
        #expect(throws: UsageError(message, hint: hint)) { try read(line) }
    }

    @Test func `control characters of a bad value do not reach the terminal`() {
        #expect(throws: UsageError(#"-k: found "\u{1b}[2J", expected a whole number, 1 to 100"#)) { try read("f --model m --sae a -k \u{1b}[2J") }
    }

    @Test func `an argument too many is refused`() {
        #expect(transcript("plain x") == Transcript(status: 2, errors: """
            monoseme: unexpected argument "x"
              hint: this command takes options only; see `monoseme plain --help`

            """))
    }

    @Test(arguments: [
        ("plain", [:], "catalogue: catalogue.sqlite\n"),
        ("plain", ["MONOSEME_CATALOGUE": "env.sqlite"], "catalogue: env.sqlite\n"),
        ("plain", ["MONOSEME_CATALOGUE": ""], "catalogue: catalogue.sqlite\n"),
        ("plain --catalogue x", ["MONOSEME_CATALOGUE": "env.sqlite"], "catalogue: x\n"),
        ("--catalogue x plain", [:], "catalogue: x\n"),
        ("--catalogue=x --color never plain", [:], "catalogue: x\n"),
        ("--color=always plain --catalogue x", [:], "\u{1b}[1mcatalogue: \u{1b}[0mx\n"),
        ("-- plain", [:], "catalogue: catalogue.sqlite\n"),
    ] as [(String, [String: String], String)])
    func `global options stand before or behind the command, and fall back on the environment`(line: String, environment: [String: String], output: String) {
        #expect(transcript(line, environment: environment) == Transcript(status: 0, output: output))
    }

    @Test(arguments: [
        ("", "no command given", "`monoseme --help` lists the commands"),
        ("pain", #"unknown command "pain""#, "did you mean plain? `monoseme --help` lists the commands"),
        ("frobnicate", #"unknown command "frobnicate""#, "`monoseme --help` lists the commands"),
        ("help pain", #"unknown command "pain""#, "did you mean plain? `monoseme --help` lists the commands"),
        ("-3", #"unknown command "-3""#, "`monoseme --help` lists the commands"),
        ("--json plain", #"unknown option "--json" before the command"#, "a command's own options follow its name"),
        ("--catalog x plain", #"unknown option "--catalog" before the command"#, "did you mean --catalogue? a command's own options follow its name"),
        ("--catalogue", "no command given", "`monoseme --help` lists the commands"),
        ("plain --josn", #"unknown option "--josn""#, "see `monoseme plain --help`"),
        ("plain --colour never", #"unknown option "--colour""#, "did you mean --color? See `monoseme plain --help`"),
        ("plain --color pink", #"--color: found "pink", expected one of auto, always, never"#, "see `monoseme plain --help`"),
        ("sample usage --model m --sae a", "--vector and FEATURE exclude each other", "see `monoseme sample --help`"),
    ])
    func `usage errors exit 2`(line: String, message: String, hint: String) {
        #expect(transcript(line) == Transcript(status: 2, errors: "monoseme: \(message)\n  hint: \(hint)\n"))
    }

    @Test func `a failure exits 1 with its hint`() {
        #expect(transcript("sample fail --model m --sae a") == Transcript(status: 1, errors: """
            monoseme: no dictionary "A/7" in catalogue.sqlite
              hint: `monoseme dictionaries` lists them

            """))
    }

    @Test(arguments: [
        ("plian", "plain"), ("plai", "plain"), ("sam", "sample"), ("--SAMPLE", "sample"), ("x", nil), ("", nil), ("---", nil), ("completely", nil),
    ] as [(String, String?)])
    func `the nearest word is suggested, if one is near`(word: String, suggestion: String?) {
        #expect(nearest(to: word, among: ["sample", "plain"]) == suggestion)
    }

    // The distances by hand: insertions, deletions, replacements, one swap.
    @Test(arguments: [("", "abc", 3), ("abc", "", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("kitten", "sitting", 3), ("ab", "ba", 1)])
    func `edit distance counts a swap as one`(a: String, b: String, distance: Int) {
        #expect(editDistance(Array(a), Array(b)) == distance)
    }

    @Test func `a broken declaration is found`() {
        enum Broken: Command {
            static let declaration = Declaration("broken", summary: "Ends in a stop.", parameters: [
                Argument<[String]>("ALL", help: "all of it"), Argument<String>("ONE", help: "one more"),
                Flag("--json", help: "x"), Flag("strict", help: "y"), Shared.format,
            ], examples: [("monoseme broken --nope", "wrong")])
            static func run(_ invocation: Invocation) {}
        }
        #expect(Program("monoseme", version: "1", summary: "s", chapters: [.init("All", [Broken.self])]).faults() == [
            "broken: --json is declared twice",
            "broken: strict is neither -x nor --name",
            "broken: ALL leaves nothing for ONE",
            "broken: ONE is required behind the optional ALL",
            #"broken: "Ends in a stop." should be a clause without a full stop"#,
            #"broken: example "monoseme broken --nope": unknown option "--nope""#,
        ])
        #expect(sampleProgram.faults().isEmpty)
    }
}
