import Glibc

/// What is known about the place where output goes.
struct Terminal: Sendable, Equatable {
    /// Whether a person looks at it, rather than a file or a pipe taking it.
    let isTerminal: Bool
    /// Columns: COLUMNS, else the window's, else 80.
    let width: Int
    let hasColour: Bool
    /// Whether the cursor can be moved back, to draw over a line.
    let canRedraw: Bool

    /// A file or a pipe.
    static let plain = Terminal(isTerminal: false, width: 80, hasColour: false, canRedraw: false)

    init(isTerminal: Bool, width: Int, hasColour: Bool, canRedraw: Bool) {
        self.isTerminal = isTerminal
        self.width = width
        self.hasColour = hasColour
        self.canRedraw = canRedraw
    }

    init(descriptor: Int32, environment: Environment) {
        isTerminal = isatty(descriptor) == 1
        var window = winsize()
        let hasWindow = isTerminal && ioctl(descriptor, UInt(TIOCGWINSZ), &window) == 0 && window.ws_col > 0
        let columns = environment["COLUMNS"].flatMap { Int($0) }.flatMap { (1...100_000).contains($0) ? $0 : nil }
        width = columns ?? (hasWindow ? Int(window.ws_col) : 80)
        canRedraw = isTerminal && environment["TERM"] != "dumb"
        hasColour = canRedraw && environment["NO_COLOR"] == nil
    }

    /// The same place with the colours that were asked for.
    func painted(_ choice: ColorChoice) -> Terminal {
        let colour = switch choice {
        case .auto: hasColour
        case .always: true
        case .never: false
        }
        return Terminal(isTerminal: isTerminal, width: width, hasColour: colour, canRedraw: canRedraw)
    }

    var style: Style { Style(isOn: hasColour) }
}

/// Makes text bold, dim or coloured where there are colours, and leaves it alone elsewhere.
struct Style: Sendable {
    let isOn: Bool

    func bold(_ text: String) -> String { wrap(text, "1") }
    func dim(_ text: String) -> String { wrap(text, "2") }
    func red(_ text: String) -> String { wrap(text, "31") }
    func green(_ text: String) -> String { wrap(text, "32") }
    func yellow(_ text: String) -> String { wrap(text, "33") }
    func cyan(_ text: String) -> String { wrap(text, "36") }
    /// For the one place to look at: the token that fired.
    func highlight(_ text: String) -> String { wrap(text, "1;33") }

    /// A scale of four for shaded cells, from dark to bright.
    func shade(_ text: String, _ level: Int) -> String { wrap(text, ["38;5;24", "38;5;31", "38;5;38", "1;38;5;51"][min(3, max(0, level))]) }

    private func wrap(_ text: String, _ code: String) -> String {
        isOn && !text.isEmpty ? "\u{1b}[\(code)m\(text)\u{1b}[0m" : text
    }
}
