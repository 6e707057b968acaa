@testable import Commands
import Testing

@Suite struct TextTests {
    // Widths as Unicode's EastAsianWidth.txt and emoji-data.txt give them.
    @Test(arguments: [
        ("", 0), ("abc", 3), ("é", 1), ("e\u{301}", 1), ("漢", 2), ("ｶ", 1), ("カ", 2), ("한", 2), ("\u{1112}\u{1161}\u{11ab}", 2), ("。", 2), ("，", 2),
        ("🙂", 2), ("👩‍👩‍👧", 2), ("👍🏽", 2), ("🇩🇪", 2), ("🇩", 1), ("❤", 1), ("❤\u{fe0f}", 2), ("⌚", 2), ("…", 1), ("█", 1), ("Ω", 1), ("क्षि", 1),
        ("שלום", 4), ("\u{200b}", 0), ("🏴󠁧󠁢󠁥󠁮󠁧󠁿", 2), ("𠀀", 2), ("①", 1), ("\u{303f}", 1),
    ])
    func `display width is counted by cluster`(text: String, width: Int) {
        #expect(displayWidth(of: text) == width)
    }

    @Test(arguments: [
        ("plain", "plain"), ("a\nb", "a⏎b"), ("a\r\nb", "a␍⏎b"), ("\t", "⇥"), ("\u{1b}[31mred\u{7}", "␛[31mred␇"), ("\u{7f}\u{0}", "␡␀"),
        ("\u{9b}2J", "\\u{9b}2J"), ("\u{202e}evil\u{202c}", "\\u{202e}evil\\u{202c}"), ("\u{2066}x\u{2069}", "\\u{2066}x\\u{2069}"),
        ("\u{2028}", "⏎"), ("\u{feff}x", "\\u{feff}x"), ("\u{200b}", "\\u{200b}"), ("a\u{ad}b", "a\\u{ad}b"), ("👩‍👧", "👩‍👧"), ("می‌خواهم", "می‌خواهم"),
        ("\u{301}x", "◌\u{301}x"), ("e\u{301}", "e\u{301}"), ("\u{200d}", "\\u{200d}"), ("شلام", "شلام"), ("\u{600}1", "\u{600}1"), ("\u{fffd}", "\u{fffd}"),
    ])
    func `nothing in a text can steer the terminal`(text: String, shown: String) {
        #expect(visible(text) == shown)
    }

    @Test func `a cluster of a thousand marks is cut down`() {
        #expect(visible("e" + String(repeating: "\u{301}", count: 1000)).unicodeScalars.count == 16)
    }

    @Test(arguments: [
        ("abcdef", 6, "abcdef", "abcdef"), ("abcdef", 5, "abcd…", "…cdef"), ("abcdef", 1, "…", "…"), ("abcdef", 0, "", ""), ("", 3, "", ""),
        ("漢字漢字", 8, "漢字漢字", "漢字漢字"), ("漢字漢字", 7, "漢字漢…", "…字漢字"), ("漢字漢字", 6, "漢字…", "…漢字"), ("a\nb\nc", 4, "a⏎b…", "…b⏎c"),
        ("e\u{301}e\u{301}e\u{301}", 2, "e\u{301}…", "…e\u{301}"), ("x", -1, "", ""),
    ])
    func `text is cut by columns`(text: String, width: Int, start: String, end: String) {
        #expect(truncated(text, width: width) == start)
        #expect(truncatedStart(text, width: width) == end)
    }

    @Test(arguments: [
        ("aaaa bbbb ", "FOCUS", " cccc dddd", 25, "aaaa bbbb [FOCUS] cccc dddd"),
        ("aaaa bbbb ", "FOCUS", " cccc dddd", 15, "…bbb [FOCUS] ccc…"),
        ("aa", "FOCUS", " cccc dddd eeee", 15, "aa[FOCUS] cccc d…"),
        ("aaaa bbbb cccc ", "FOCUS", "x", 15, "…bb cccc [FOCUS]x"),
        ("aaaa", "FOCUS", "bbbb", 5, "[FOCUS]"),
        ("aaaa", "FOCUS", "bbbb", 4, "[FOC…]"),
        ("漢字漢字", "字", "漢字漢字", 8, "…字[字]漢…"),
        ("", "", "", 5, "[]"),
        ("\u{1b}", "\n", "\u{1b}", 3, "␛[⏎]␛"),
    ])
    func `an excerpt is cut around its focus`(before: String, focus: String, after: String, width: Int, shown: String) {
        #expect(truncated(Excerpt(before: before, focus: focus, after: after), width: width) { "[\($0)]" } == shown)
    }

    @Test func `an excerpt never takes more than its width`() {
        let words = ["", "a", "word", "漢字", "mixed 漢 text\n", "a rather long run of letters"]
        for before in words { for focus in words { for after in words { for width in 1...30 {
            let shown = truncated(Excerpt(before: before, focus: focus, after: after), width: width) { $0 }
            #expect(displayWidth(of: shown) <= width, "\(before)|\(focus)|\(after) at \(width): \(shown)")
        } } } }
    }

    @Test(arguments: [
        (.plain, 1_048_576, "1048576"), (.plain, 0.5, "0.5"), (.grouped, 0, "0"), (.grouped, 999, "999"), (.grouped, 1000, "1,000"), (.grouped, -1_048_576, "-1,048,576"),
        (.short, 0, "0"), (.short, 999, "999"), (.short, 12_345, "12.3 k"), (.short, 24_100, "24.1 k"), (.short, 13_200_000, "13.2 M"), (.short, 999_999, "1 M"),
        (.short, 1_000, "1 k"), (.short, 999.7, "1 k"), (.short, 0.5, "0.5"), (.short, -4_560, "-4.56 k"), (.short, 1e21, "1000 E"),
        (.significant(4), 0.0213449, "0.02134"), (.significant(4), 12_345.6, "12,346"), (.significant(3), 9.996, "10.0"), (.significant(3), 999.96, "1,000"),
        (.significant(2), 0.1, "0.10"), (.significant(4), 0, "0"), (.significant(3), 1.5e-12, "1.50e-12"), (.significant(3), -2.5e20, "-2.50e+20"),
        (.fixed(3), 0.87149, "0.871"), (.fixed(0), 1234.5, "1,234"), (.fixed(2), -0.001, "0.00"), (.fixed(1), .infinity, "∞"), (.fixed(1), -.infinity, "-∞"), (.fixed(1), .nan, "NaN"),
        (.percent, 0.43, "43 %"), (.percent, 0.000021, "0.0021 %"), (.percent, 0, "0 %"), (.percent, 1, "100 %"), (.percent, 0.9997, "99.97 %"), (.percent, 0.995, "99.5 %"),
        (.percent, 0.0996, "10 %"), (.percent, 0.099, "9.9 %"), (.percent, 1e-12, "1.0e-10 %"), (.percent, 12.5, "1,250 %"),
        (.bytes, 0, "0 B"), (.bytes, 999, "999 B"), (.bytes, 12_300_000, "12.3 MB"), (.bytes, 44_000_000, "44 MB"), (.bytes, 4_096, "4.1 kB"),
        (.duration, 0, "0 s"), (.duration, 0.0123, "12 ms"), (.duration, 0.0003, "0.3 ms"), (.duration, 0.5, "0.5 s"), (.duration, 4.2, "4.2 s"), (.duration, 42, "42 s"),
        (.duration, 59.7, "1 min 00 s"), (.duration, 185, "3 min 05 s"), (.duration, 3_780, "1 h 03 min"), (.duration, 187_200, "2 d 04 h"), (.duration, 1e300, "∞"),
    ] as [(NumberFormat, Double, String)])
    func `numbers are written for people`(format: NumberFormat, value: Double, text: String) {
        #expect(format.text(value) == text)
    }

    @Test func `integers keep all their digits`() {
        #expect(NumberFormat.grouped.text(Int64.max) == "9,223,372,036,854,775,807")
        #expect(NumberFormat.grouped.text(Int64.min) == "-9,223,372,036,854,775,808")
        #expect(NumberFormat.plain.text(Int64.min) == "-9223372036854775808")
    }
}

@Suite struct ChartTests {
    @Test(arguments: [
        ([], 10, ""), ([0, 0], 10, "  "), ([0, 1, 2, 3, 4, 5, 6, 7, 8], 10, " ▁▂▃▄▅▆▇█"), ([1000, 1], 10, "█▁"), ([1, 2, 8, 4, 2], 3, "▂█▂"), ([8, 8, 1], 0, "█"), ([-1, .nan, 2], 9, "  █"),
    ] as [([Double], Int, String)])
    func `a sparkline shows every value that is not zero`(values: [Double], width: Int, line: String) {
        #expect(sparkline(values, width: width) == line)
    }

    @Test(arguments: [(0, 8, ""), (1, 4, "████"), (0.5, 5, "██▌"), (0.0001, 8, "▏"), (2, 3, "███"), (-1, 3, ""), (.nan, 3, ""), (1, 0, "")] as [(Double, Int, String)])
    func `a bar is drawn to the eighth`(fraction: Double, width: Int, line: String) {
        #expect(bar(fraction, width: width) == line)
    }

    @Test func `a histogram stands upright`() {
        #expect(HistogramChart(counts: [0, 1200, 600, 300, 1, 0, 0, 150], range: 0...8).upright(height: 3) == """
            1,200 │ █
                  │ █▄
                0 │ ██▆▁  ▃
                  └────────
                   0   8.00

            """)
    }

    @Test func `a histogram lies down`() {
        #expect(HistogramChart(counts: [0, 1200, 600, 1], range: 0...2, format: .fixed(1)).lying(width: 30) == """
            0.0 …      0
            0.5 …  1,200  ████████████████
            1.0 …    600  ████████
            1.5 …      1  ▏

            """)
    }

    @Test func `empty histograms draw`() {
        #expect(HistogramChart(counts: [], range: 0...1).upright(height: 1) == "0 │\n  └\n   0 1.00\n")
        #expect(HistogramChart(counts: [], range: 0...1).lying() == "")
        #expect(HistogramChart(counts: [0, 0], range: 0...1).lying() == "0 …      0\n0.500 …  0\n")
        #expect(bars([("one", 2), ("漢字", 1)], width: 17) == "one   2  ████████\n漢字  1  ████\n")
    }
}

@Suite struct ProgressTests {
    static let progress = ProgressLine(
        title: "A/1", done: 182_000, total: 423_100, unit: "tokens", rate: 24_100, details: ["13.2 M firings", "44 MB"])

    @Test(arguments: [
        (200, "A/1  43 %  182,000 of 423,100 tokens  24.1 k tokens/s  11 s left  13.2 M firings  44 MB"),
        (80, "A/1  43 %  182,000 of 423,100 tokens  24.1 k tokens/s  11 s left  13.2 M firings"),
        (66, "A/1  43 %  182,000 of 423,100 tokens  24.1 k tokens/s  11 s left"),
        (12, "A/1  43 %"), (2, "A…"), (0, ""),
    ])
    func `the line says what fits`(width: Int, line: String) {
        #expect(Self.progress.line(width: width) == line)
    }

    @Test(arguments: [
        (ProgressLine(title: "A/1", done: 0, total: 10, unit: "tokens"), "A/1  0 %  0 of 10 tokens"),
        (ProgressLine(title: "A/1", done: 9_999, total: 10_000, unit: "tokens"), "A/1  99 %  9,999 of 10,000 tokens"),
        (ProgressLine(title: "A/1", done: 10, total: 10, unit: "tokens", rate: 5), "A/1  100 %  10 of 10 tokens  5 tokens/s"),
        (ProgressLine(title: "A/1", done: 20, total: 10, unit: "tokens"), "A/1  100 %  20 of 10 tokens"),
        (ProgressLine(title: "A/1", done: 5, total: nil, unit: "files", rate: 0), "A/1  5 files"),
        (ProgressLine(title: "A/1", done: 0, total: 0, unit: "files"), "A/1  0 of 0 files"),
        (ProgressLine(title: "A\u{1b}", done: 1_000, total: 10_000_000, unit: "t", rate: 1), "A␛  0 %  1,000 of 10,000,000 t  1 t/s  115 d 17 h left"),
    ])
    func `percent is rounded down and what is unknown is left out`(progress: ProgressLine, line: String) {
        #expect(progress.line(width: 200) == line)
    }

    @Test func `the line is redrawn ten times a second at most, and taken away`() {
        let terminal = Terminal(isTerminal: true, width: 80, hasColour: false, canRedraw: true)
        let output = Output.memory()
        var time = ContinuousClock.now
        let reporter = ProgressReporter("A/1", total: 1000, unit: "tokens", output: output, terminal: terminal) { time }
        for step in 0..<30 {
            reporter.update(500 + step * 10)
            time += .milliseconds(30)
        }
        reporter.finish("done")
        // Every fourth call draws; the rate is 10 in 30 ms from the first call on, not from zero.
        let lines = output.text.split(separator: "\r").map { String($0) }
        #expect(lines == [
            "A/1  50 %  500 of 1,000 tokens\u{1b}[K",
            "A/1  54 %  540 of 1,000 tokens\u{1b}[K",
            "A/1  58 %  580 of 1,000 tokens  333 tokens/s  2 s left\u{1b}[K",
            "A/1  62 %  620 of 1,000 tokens  333 tokens/s  2 s left\u{1b}[K",
            "A/1  66 %  660 of 1,000 tokens  333 tokens/s  2 s left\u{1b}[K",
            "A/1  70 %  700 of 1,000 tokens  333 tokens/s  1 s left\u{1b}[K",
            "A/1  74 %  740 of 1,000 tokens  333 tokens/s  1 s left\u{1b}[K",
            "A/1  78 %  780 of 1,000 tokens  333 tokens/s  1 s left\u{1b}[K",
            "\u{1b}[Kdone\n",
        ])
    }

    @Test func `a pipe sees the summary only`() {
        let output = Output.memory()
        let reporter = ProgressReporter("A/1", total: 1000, unit: "tokens", output: output, terminal: .plain)
        reporter.update(500)
        reporter.finish("1,000 tokens in 4.2 s")
        #expect(output.text == "1,000 tokens in 4.2 s\n")
    }
}
