import Diagnostics
import Kernels
import Numerics

/// Ranges of code points, given by the names of Unicode's blocks or by their ends.
public struct UnicodeRanges: Sendable, Equatable {
    /// Ascending, each as it is written in a definition.
    private let parts: [(name: String, codePoints: ClosedRange<UInt32>)]

    /// - Parameter texts: each a block's name as Unicode has it, case, spaces, hyphens and underscores aside (UAX #44, LM3), or
    ///   `U+0600-U+06FF`, or `U+0640`.
    /// - Throws: `MonosemeError` for a name that is of no block.
    public init(parsing texts: [String]) throws {
        var parts: [(name: String, codePoints: ClosedRange<UInt32>)] = []
        for text in texts { parts.append(try UnicodeRanges.codePoints(text).map { (UnicodeRanges.text($0), $0) } ?? UnicodeRanges.block(text)) }
        parts.sort { ($0.codePoints.lowerBound, $0.codePoints.upperBound) < ($1.codePoints.lowerBound, $1.codePoints.upperBound) }
        self.parts = parts.indices.filter { $0 == 0 || parts[$0].codePoints != parts[$0 - 1].codePoints }.map { parts[$0] }
    }

    public static func == (a: UnicodeRanges, b: UnicodeRanges) -> Bool { a.definition == b.definition }

    /// The same for the same ranges, in whatever order and spelling they were given: `Hebrew, Arabic, U+0750-U+077F`.
    public var definition: String { parts.map(\.name).joined(separator: ", ") }

    /// The bytes of each character that belongs to a range; what is not UTF-8 belongs to none.
    func matches(in bytes: [UInt8]) -> [Range<Int>] {
        var matches: [Range<Int>] = []
        bytes.withUnsafeBufferPointer { all in
            guard let base = all.baseAddress else { return }
            var at = 0
            while at < all.count {
                let end = at + kernel_utf8_valid_prefix(base + at, all.count - at)
                while at < end {
                    let lead = base[at], length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
                    var code = UInt32(lead) & (length == 1 ? 0x7f : 0x3f >> UInt32(length - 1))
                    for place in 1..<max(1, length) { code = code << 6 | UInt32(base[at + place] & 0x3f) }
                    if parts.contains(where: { $0.codePoints.contains(code) }) { matches.append(at..<at + length) }
                    at += length
                }
                if at < all.count { at += kernel_utf8_ill_formed(base + at, all.count - at) }
            }
        }
        return matches
    }

    // MARK: Names

    /// `U+0600-U+06FF`, in either case; `nil` for what does not begin like that.
    private static func codePoints(_ text: String) throws -> ClosedRange<UInt32>? {
        guard text.utf8.count >= 2, text.lowercased().hasPrefix("u+") else { return nil }
        let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { end in
            end.lowercased().hasPrefix("u+") && end.utf8.count <= 10 ? UInt32(end.dropFirst(2), radix: 16) : nil
        }
        guard ends.count <= 2, let low = ends[0], let high = ends.last!, low <= high, high <= 0x10ffff else {
            throw MonosemeError("\(quoted(text)) is not a range of code points", hint: "such as U+0600-U+06FF, the lower first, to U+10FFFF")
        }
        return low...high
    }

    private static func text(_ codePoints: ClosedRange<UInt32>) -> String {
        if let block = blocks.first(where: { $0.codePoints == codePoints }) { return block.name }
        func digits(_ code: UInt32) -> String {
            let text = String(code, radix: 16, uppercase: true)
            return "U+" + String(repeating: "0", count: max(0, 4 - text.count)) + text
        }
        return codePoints.count == 1 ? digits(codePoints.lowerBound) : "\(digits(codePoints.lowerBound))-\(digits(codePoints.upperBound))"
    }

    private static func block(_ text: String) throws -> (name: String, codePoints: ClosedRange<UInt32>) {
        let wanted = folded(text)
        if let block = blocks.first(where: { folded($0.name) == wanted }) { return block }
        let near = wanted.isEmpty ? [] : blocks.filter { folded($0.name).contains(wanted) }.prefix(8).map(\.name)
        throw MonosemeError("Unicode has no block \(quoted(text))", hint: near.isEmpty ? "such as Arabic, Hebrew, Cyrillic or \"CJK Unified Ideographs\"; or a range such as U+0600-U+06FF" : "it has \(near.joined(separator: ", "))")
    }

    /// The block that a character lies in.
    static func block(of scalar: Unicode.Scalar) -> (name: String, codePoints: ClosedRange<UInt32>)? {
        let after = blocks.partitioningIndex { $0.codePoints.lowerBound > scalar.value }
        return after > 0 && blocks[after - 1].codePoints.contains(scalar.value) ? blocks[after - 1] : nil
    }

    private static func folded(_ name: String) -> String { String(String.UnicodeScalarView(name.lowercased().unicodeScalars.filter { !" _-\t".unicodeScalars.contains($0) })) }

    private static let blocks: [(name: String, codePoints: ClosedRange<UInt32>)] = unicodeBlocks.split(separator: "\n").map { line in
        let fields = line.split(separator: " ", maxSplits: 2)
        return (String(fields[2]), UInt32(fields[0], radix: 16)!...UInt32(fields[1], radix: 16)!)
    }
}
