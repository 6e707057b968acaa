@testable import Commands
import Testing

@Suite struct HelpTests {
    static let general = """
        monoseme: SQLite for sparse-autoencoder features

        Usage: monoseme COMMAND [options]

        Look at features:
          sample  show what the framework can do

        Everything else:
          plain   take nothing and say little

        Global options:
          --catalogue FILE           The catalogue to work with (default:
                                     $MONOSEME_CATALOGUE, else catalogue.sqlite)
          --color auto|always|never  Colours in what is printed (default: auto)
          -h, --help                 Print this help
          --version                  Print the version

        `monoseme COMMAND --help` tells more about a command, with examples.

        Exit status: 0 done, 1 failed, 2 the command line was not understood.

        """

    static let sample = """
        monoseme sample: show what the framework can do

        Usage: monoseme sample FEATURE [OTHER…] --model DIR --sae DIR [options]

        A command of the tests. Its discussion is long enough to be wrapped at the width
        of the terminal.

        It has two paragraphs.

        Arguments:
          FEATURE  The feature to start from, such as A/1/2357
          OTHER…   Features to compare it with

        Options:
          --model DIR                   The folder of the language model
          --sae DIR                     A folder with a sparse autoencoder (may be
                                        repeated)
          --corpus PATH…                Files and folders of text
          -k N                          How many neighbours to print (1 to 100; default:
                                        10)
          --in DICT                     Look in this dictionary only
          --vector FILE                 A vector instead of a feature; - reads standard
                                        input
          --sort density|maximum|index  What to sort by (default: density)
          --threshold COSINE            Leave out what is less alike (-1 to 1)
          -o, --output FILE             Write here instead of to standard output, which
                                        is convenient where a shell is not at hand
          --strict                      Refuse what is doubtful

        Output:
          --table  Print aligned columns, for people (default)
          --json   Print one JSON document
          --jsonl  Print one JSON object on each line
          --csv    Print comma-separated values with a header line

        Global options:
          --catalogue FILE           The catalogue to work with (default:
                                     $MONOSEME_CATALOGUE, else catalogue.sqlite)
          --color auto|always|never  Colours in what is printed (default: auto)
          -h, --help                 Print this help

        Examples:
          # The three nearest
          monoseme sample A/1/2357 --model gpt2 --sae run-1 -k 3
          # Two dictionaries at once, as JSON Lines
          monoseme sample 'A 1' --model m --sae a --sae b --jsonl | head -3

        Exit status: 0 done, 1 failed, 2 the command line was not understood.

        """

    @Test(arguments: ["--help", "-h", "help", "--catalogue x --help", "help --help"])
    func `the general help lists every command`(line: String) {
        #expect(transcript(line) == Transcript(status: 0, output: Self.general))
    }

    @Test(arguments: ["sample --help", "help sample", "--help sample", "sample -h --nonsense", "sample a b c -k 0 --help"])
    func `a command's help tells all about it, whatever else the line holds`(line: String) {
        #expect(transcript(line) == Transcript(status: 0, output: Self.sample))
    }

    @Test func `help behind two dashes is an argument`() {
        #expect(transcript("plain -- --help").status == 2)
    }

    @Test func `help is wrapped to the terminal`() {
        let terminal = Terminal(isTerminal: true, width: 50, hasColour: false, canRedraw: true)
        #expect(transcript("plain --help", terminal: terminal).output == """
            monoseme plain: take nothing and say little

            Usage: monoseme plain

            Global options:
              --catalogue FILE           The catalogue to work
                                         with (default:
                                         $MONOSEME_CATALOGUE,
                                         else
                                         catalogue.sqlite)
              --color auto|always|never  Colours in what is
                                         printed (default:
                                         auto)
              -h, --help                 Print this help

            Examples:
              # Just so
              monoseme plain

            Exit status: 0 done, 1 failed, 2 the command line
            was not understood.

            """)
    }

    @Test func `headings are bold where there are colours`() {
        let terminal = Terminal(isTerminal: true, width: 80, hasColour: true, canRedraw: true)
        let output = transcript("plain --help", terminal: terminal).output
        #expect(output.contains("\n\u{1b}[1mUsage:\u{1b}[0m monoseme plain\n"))
        #expect(!transcript("plain --help --color never", terminal: terminal).output.contains("\u{1b}"))
        #expect(transcript("plain --help --color=always").output == output)
    }

    @Test(arguments: ["--version", "--catalogue x --version"])
    func `the version is one line`(line: String) {
        #expect(transcript(line) == Transcript(status: 0, output: "monoseme 1.2.3\n"))
    }

    @Test func `the README lists commands from the same declarations`() {
        #expect(sampleProgram.commandTable() == """
            | command | what it does |
            |---|---|
            | `monoseme sample` | show what the framework can do |
            | `monoseme plain` | take nothing and say little |

            """)
    }

    @Test(arguments: [
        ("", []), ("a bc", ["a", "bc"]), ("  a   b ", ["a", "b"]), ("a 'b c' \"d | e\"", ["a", "b c", "d | e"]), ("a '' b", ["a", "", "b"]),
        ("a | b", ["a"]), ("a>b", ["a"]), ("a --x='y z'", ["a", "--x=y z"]),
    ])
    func `examples are split as a shell does`(line: String, words: [String]) {
        #expect(shellWords(line) == words)
    }

    @Test(arguments: [
        ("", 10, []), ("one two three", 7, ["one two", "three"]), ("incomprehensibilities are long", 8, ["incomprehensibilities", "are long"]),
        ("a\nb  c", 80, ["a b c"]), ("漢字 漢字 漢字", 9, ["漢字 漢字", "漢字"]),
    ])
    func `text is wrapped at spaces`(text: String, width: Int, lines: [String]) {
        #expect(wrapped(text, width: width) == lines)
    }
}
