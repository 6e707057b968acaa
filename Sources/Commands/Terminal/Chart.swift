/// `values` as one line of bars, from zero to their maximum: `▁▃█▅ `.
///
/// A value that is not zero always shows; where there are more values than `width`, neighbours share a bar, the larger wins.
func sparkline(_ values: [Double], width: Int = .max) -> String {
    let values = merged(values, into: width) { max($0, $1) }
    let maximum = values.max() ?? 0
    return values.reduce(into: "") { $0 += maximum > 0 ? String(rising[eighths($1 / maximum, of: 1)]) : " " }
}

/// A bar of `fraction` of `width` columns, drawn to the eighth; not padded.
func bar(_ fraction: Double, width: Int) -> String {
    let eighths = eighths(fraction, of: width)
    return String(repeating: "█", count: eighths / 8) + (eighths % 8 > 0 ? String(growing[eighths % 8]) : "")
}

/// Counts in bins, drawn upright or lying.
struct HistogramChart: Sendable {
    let counts: [Int]
    /// The lower edge of the first bin and the upper edge of the last.
    let range: ClosedRange<Double>
    /// How edges are written.
    let format: NumberFormat

    init(counts: [Int], range: ClosedRange<Double>, format: NumberFormat = .significant(3)) {
        self.counts = counts
        self.range = range
        self.format = format
    }

    /// Bars side by side, `height` rows high and at most `width` columns wide, with the largest count and the range's edges.
    func upright(width: Int = 60, height: Int = 6) -> String {
        let bins = merged(counts, into: width) { $0.addingReportingOverflow($1).partialValue }
        let maximum = bins.max() ?? 0
        let height = max(1, height)
        let label = thousands(String(maximum))
        var lines: [String] = []
        for row in (0..<height).reversed() {
            let margin = row == height - 1 ? label : row == 0 && height > 1 ? spaces(label.count - 1) + "0" : spaces(label.count)
            let bars = bins.map { count in
                let filled = maximum > 0 ? eighths(Double(count) / Double(maximum), of: height) : 0
                return String(rising[min(8, max(0, filled - row * 8))])
            }
            lines.append("\(margin) │" + withoutTrailingSpaces(bars.joined()))
        }
        let low = format.text(range.lowerBound), high = format.text(range.upperBound)
        lines.append(spaces(label.count) + " └" + String(repeating: "─", count: bins.count))
        lines.append(spaces(label.count + 2) + low + spaces(max(1, bins.count - low.count - high.count)) + high)
        return lines.joined(separator: "\n") + "\n"
    }

    /// One line for each bin: its range, its count and a bar, in `width` columns.
    func lying(width: Int = 80) -> String {
        let step = counts.isEmpty ? 0 : (range.upperBound - range.lowerBound) / Double(counts.count)
        let names = counts.indices.map { format.text(range.lowerBound + step * Double($0)) + " …" }
        return bars(zip(names, counts).map { ($0, $1) }, width: width)
    }
}

/// One line for each labelled count: label, count and a bar as long as the count, in `width` columns.
func bars(_ entries: [(label: String, count: Int)], width: Int = 80) -> String {
    let maximum = entries.map(\.count).max() ?? 0
    let labels = entries.map { truncated($0.label, width: max(8, width / 2)) }
    let counts = entries.map { thousands(String($0.count)) }
    let labelWidth = labels.map { displayWidth(of: $0) }.max() ?? 0
    let countWidth = counts.map(\.count).max() ?? 0
    let room = max(1, width - labelWidth - countWidth - 4)
    return entries.indices.reduce(into: "") { text, i in
        let fraction = maximum > 0 ? Double(entries[i].count) / Double(maximum) : 0
        let gap = spaces(labelWidth - displayWidth(of: labels[i]) + 2 + countWidth - counts[i].count)
        text += withoutTrailingSpaces(labels[i] + gap + counts[i] + "  " + bar(fraction, width: room)) + "\n"
    }
}

private let rising: [Character] = [" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"]
private let growing: [Character] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉", "█"]

/// The eighths of a cell that `fraction` of `cells` cells fills: none only for nothing.
private func eighths(_ fraction: Double, of cells: Int) -> Int {
    guard fraction > 0, cells > 0 else { return 0 }
    return max(1, Int((min(1, fraction) * Double(cells) * 8).rounded()))
}

/// At most `count` values, each made of neighbours.
private func merged<Value>(_ values: [Value], into count: Int, _ merge: (Value, Value) -> Value) -> [Value] {
    let count = max(1, count)
    guard values.count > count else { return values }
    let share = (values.count + count - 1) / count
    return stride(from: 0, to: values.count, by: share).map { start in
        values[(start + 1)..<min(start + share, values.count)].reduce(values[start], merge)
    }
}

func withoutTrailingSpaces(_ line: String) -> String { String(line.reversed().drop { $0 == " " }.reversed()) }
