@testable import Commands
import Diagnostics
import Glibc
import Testing

@Suite struct OutputTests {
    @Test func `a full disk is told`() throws {
        let output = try Output.file("/dev/full")
        try output.write("something")
        #expect(throws: MonosemeError(#"cannot write to "/dev/full": No space left on device"#, hint: "free some space and run the command again")) {
            try output.flush()
        }
        // What could not be written is not tried again.
        try output.flush()
    }

    @Test func `a folder that is not there is told`() {
        #expect(throws: MonosemeError(
            #"cannot write "/nonexistent/file": No such file or directory"#, hint: "choose a file in a folder that exists and is writable")
        ) { try Output.file("/nonexistent/file") }
    }

    @Test func `a reader that is gone is not an error of ours`() throws {
        signal(SIGPIPE, SIG_IGN)
        var ends: [Int32] = [0, 0]
        try #require(pipe(&ends) == 0)
        let output = try Output.file("/proc/self/fd/\(ends[1])")
        close(ends[0])
        defer { close(ends[1]) }
        #expect(throws: BrokenPipe.self) { for _ in 0..<10_000 { try output.write("more than the buffer holds\n") } }
        let errors = Output.memory()
        let status = sampleProgram.run(
            ["sample", "flood", "--model=m", "--sae=a"], environment: Environment([:]), output: output, errors: errors,
            terminal: .plain, errorTerminal: .plain)
        #expect(status == 0)
        #expect(errors.text == "")
    }

    @Test func `what was answered before a failure is written before its message`() throws {
        enum Half: Command {
            static let declaration = Declaration("half", summary: "fail in the middle", examples: [])
            static func run(_ invocation: Invocation) throws {
                try invocation.print("one")
                throw MonosemeError("no \u{1b}[31mtwo", hint: "none\nat all")
            }
        }
        let output = Output.memory(), errors = Output.memory()
        let status = Program("monoseme", version: "1", summary: "s", chapters: [.init("All", [Half.self])])
            .run(["half"], environment: Environment([:]), output: output, errors: errors, terminal: .plain, errorTerminal: .plain)
        #expect(status == 1)
        #expect(output.text == "one\n")
        #expect(errors.text == "monoseme: no ␛[31mtwo\n  hint: none⏎at all\n")
    }

    @Test(arguments: [
        ([:], Terminal(isTerminal: false, width: 80, hasColour: false, canRedraw: false)),
        (["COLUMNS": "120"], Terminal(isTerminal: false, width: 120, hasColour: false, canRedraw: false)),
        (["COLUMNS": "0"], Terminal.plain), (["COLUMNS": "wide"], .plain), (["COLUMNS": "-5"], .plain), (["COLUMNS": "99999999999999999999"], .plain),
    ] as [([String: String], Terminal)])
    func `a file is no terminal, and as wide as COLUMNS says`(environment: [String: String], terminal: Terminal) throws {
        let descriptor = open("/dev/null", O_WRONLY)
        defer { close(descriptor) }
        #expect(Terminal(descriptor: descriptor, environment: Environment(environment)) == terminal)
    }

    @Test(arguments: [
        (["TERM": "xterm"], true, true), (["TERM": "dumb"], false, false), (["TERM": "xterm", "NO_COLOR": "1"], false, true), (["NO_COLOR": ""], true, true),
    ] as [([String: String], Bool, Bool)])
    func `a terminal has colours unless it is told otherwise`(environment: [String: String], hasColour: Bool, canRedraw: Bool) throws {
        // A pseudo-terminal of our own, 33 columns wide.
        let master = open("/dev/ptmx", O_RDWR | O_NOCTTY)
        defer { close(master) }
        // TIOCSPTLCK and TIOCGPTN, which the C module leaves out.
        var unlocked: Int32 = 0
        var number: UInt32 = 0
        let isOpen = ioctl(master, 0x4004_5431, &unlocked) == 0 && ioctl(master, 0x8004_5430, &number) == 0
        try #require(isOpen)
        let slave = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
        defer { close(slave) }
        var window = winsize(ws_row: 10, ws_col: 33, ws_xpixel: 0, ws_ypixel: 0)
        let hasSize = ioctl(slave, UInt(TIOCSWINSZ), &window) == 0
        try #require(hasSize)
        #expect(Terminal(descriptor: slave, environment: Environment(environment))
            == Terminal(isTerminal: true, width: 33, hasColour: hasColour, canRedraw: canRedraw))
    }
}
