/// How far a long piece of work is.
struct ProgressLine: Sendable {
    /// What is worked on: `A/1`.
    var title: String
    /// In units; `total` is `nil` where it is not known.
    var done: Int
    var total: Int?
    /// `tokens`
    var unit: String
    /// Units in a second; `nil` before it can be told.
    var rate: Double?
    /// Further facts, the most important first: `13.2 M firings`.
    var details: [String] = []

    /// The line that says so, cut to `width` columns; what does not fit is left out from the end.
    ///
    ///     A/1  43 %  182,000 of 423,100 tokens  24.1 k tokens/s  10 s left  13.2 M firings  44 MB
    func line(width: Int) -> String {
        var parts = [visible(title)]
        let count = thousands(String(done))
        if let total {
            // Rounded down: 100 % means done.
            if total > 0 { parts.append("\(Int(min(100, max(0, Double(done) * 100 / Double(total))))) %") }
            parts.append("\(count) of \(thousands(String(total))) \(unit)")
        } else {
            parts.append("\(count) \(unit)")
        }
        if let rate, rate > 0 {
            parts.append(NumberFormat.short.text(rate) + " \(unit)/s")
            if let total, total > done { parts.append(wholeDuration((Double(total - done) / rate).rounded(.up)) + " left") }
        }
        parts += details.map { visible($0) }
        var line = ""
        for part in parts {
            let longer = line.isEmpty ? part : line + "  " + part
            if !line.isEmpty, displayWidth(of: longer) > width { break }
            line = longer
        }
        return truncated(line, width: width)
    }
}

/// Redraws a progress line on standard error, ten times a second at most; silent where that is not a terminal.
final class ProgressReporter {
    private var progress: ProgressLine
    private let output: Output
    private let terminal: Terminal
    private let now: () -> ContinuousClock.Instant
    /// What was done when, over the last seconds: the rate is taken from these.
    private var window: [(time: ContinuousClock.Instant, done: Int)] = []
    private var lastDrawn: ContinuousClock.Instant?
    private var isOnScreen = false

    init(
        _ title: String, total: Int?, unit: String, output: Output, terminal: Terminal,
        now: @escaping () -> ContinuousClock.Instant = { ContinuousClock.now }
    ) {
        progress = ProgressLine(title: title, done: 0, total: total, unit: unit)
        self.output = output
        self.terminal = terminal
        self.now = now
    }

    // An error on the way out must not be printed behind half a line.
    deinit { clear() }

    /// Notes that `done` units are done, counted from the beginning; work that was resumed starts above zero.
    ///
    /// `total` replaces the former one; `details` is only asked for when the line is drawn.
    func update(_ done: Int, total: Int? = nil, details: @autoclosure () -> [String] = []) {
        guard terminal.canRedraw else { return }
        progress.done = done
        if let total { progress.total = total }
        let time = now()
        if let lastDrawn, lastDrawn.duration(to: time) < .milliseconds(100) { return }
        lastDrawn = time
        window.append((time, done))
        while window.count > 2, window[0].time.duration(to: time) > .seconds(10) { window.removeFirst() }
        let span = window[0].time.duration(to: time) / .seconds(1)
        progress.rate = span > 0.2 ? Double(done - window[0].done) / span : nil
        progress.details = details()
        // One column stays free: some terminals wrap as soon as the last one is written.
        output.say("\r" + progress.line(width: max(1, terminal.width - 1)) + "\u{1b}[K")
        isOnScreen = true
    }

    /// Takes the line away, and leaves `summary` in its place: also where no line was shown.
    func finish(_ summary: String? = nil) {
        clear()
        if let summary { output.say(visible(summary) + "\n") }
    }

    private func clear() {
        if isOnScreen { output.say("\r\u{1b}[K") }
        isOnScreen = false
    }
}
