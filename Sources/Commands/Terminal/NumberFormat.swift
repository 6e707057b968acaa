import Glibc

/// How a number is shown to people; programs get it unrounded.
enum NumberFormat: Sendable, Equatable {
    /// `1048576`: for names that are numbers.
    case plain
    /// `1,048,576`
    case grouped
    /// `13.2 M`
    case short
    /// So many significant digits: `0.02134`, `12,346`.
    case significant(Int)
    /// At most so many significant digits: `0.5`, `0.02134`.
    case atMost(Int)
    /// So many digits after the point: `0.871`.
    case fixed(Int)
    /// A fraction as `43 %` or `0.0021 %`.
    case percent
    /// `12.3 MB`
    case bytes
    /// Seconds as `4.2 s` or `1 h 03 min`.
    case duration

    func text(_ value: Int64) -> String {
        switch self {
        case .plain: String(value)
        case .grouped: thousands(String(value))
        default: text(Double(value))
        }
    }

    func text(_ value: Double) -> String {
        guard value.isFinite else { return value.isNaN ? "NaN" : value < 0 ? "-∞" : "∞" }
        return switch self {
        case .plain: value == value.rounded() && abs(value) < 1e15 ? pointed(value, 0) : "\(value)"
        case .grouped: thousands(pointed(value, 0))
        case .short: shortened(value)
        case .significant(let digits): rounded(value, digits)
        case .atMost(let digits): withoutTrailingZeros(rounded(value, digits))
        case .fixed(let digits): thousands(pointed(value, digits))
        case .percent: percentage(value)
        case .bytes: byteSize(value)
        case .duration: time(value)
        }
    }
}

/// `text` of a number with commas between the thousands: `1,048,576`.
func thousands(_ text: String) -> String {
    let bytes = Array(text.utf8), sign = bytes.first == UInt8(ascii: "-") ? 1 : 0
    let digits = bytes.dropFirst(sign).prefix { $0 >= 0x30 && $0 <= 0x39 }
    guard digits.count > 3 else { return text }
    var out = Array(bytes[..<sign])
    for place in digits.indices {
        if place > sign, (digits.endIndex - place) % 3 == 0 { out.append(UInt8(ascii: ",")) }
        out.append(digits[place])
    }
    return String(decoding: out + bytes[digits.endIndex...], as: UTF8.self)
}

/// Three significant digits with k, M, G, T; whole numbers below a thousand as they are.
private func shortened(_ value: Double) -> String { scaled(value, ["", "k", "M", "G", "T", "P", "E"]) }

/// Decimal multiples, as disks are sold: `999 B`, `12.3 MB`.
private func byteSize(_ value: Double) -> String { scaled(value, ["B", "kB", "MB", "GB", "TB", "PB", "EB"]) }

private func scaled(_ value: Double, _ units: [String]) -> String {
    var size = value
    var unit = 0
    // 999.5 would be shown as 1000.
    while abs(size) >= 999.5, unit + 1 < units.count {
        size /= 1000
        unit += 1
    }
    let magnitude = abs(size)
    let text = unit == 0 && size == size.rounded() ? pointed(size, 0) : pointed(size, magnitude < 9.995 ? 2 : magnitude < 99.95 ? 1 : 0)
    return withoutTrailingZeros(text) + (units[unit].isEmpty ? "" : " " + units[unit])
}

/// Two significant digits, whole numbers from ten on; what is below one never shows as `100 %`.
private func percentage(_ fraction: Double) -> String {
    let value = fraction * 100
    let magnitude = abs(value)
    if magnitude == 0 { return "0 %" }
    if magnitude < 1e-6 { return formatted("%.1e", value) + " %" }
    if magnitude < 99.5 || magnitude >= 100 {
        return (magnitude < 9.95 ? rounded(value, 2) : thousands(pointed(value, 0))) + " %"
    }
    let digits = (1...6).first { pointed(magnitude, $0).hasPrefix("99") }
    return pointed(value, digits ?? 0) + " %"
}

/// Two units at most: `12 ms`, `4.2 s`, `42 s`, `3 min 05 s`, `1 h 03 min`, `2 d 04 h`.
private func time(_ seconds: Double) -> String {
    if seconds < 0 { return "-" + time(-seconds) }
    if seconds == 0 { return "0 s" }
    if seconds < 0.0995 { return withoutTrailingZeros(rounded(seconds * 1000, 2)) + " ms" }
    if seconds < 9.95 { return pointed(seconds, 1) + " s" }
    return wholeDuration(seconds)
}

/// The same in whole seconds, for time that is still to pass.
func wholeDuration(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds < 1e12 else { return "∞" }
    let whole = Int(seconds.rounded())
    func padded(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    return switch whole {
    case ..<60: "\(whole) s"
    case ..<3600: "\(whole / 60) min \(padded(whole % 60)) s"
    case ..<86_400: "\(whole / 3600) h \(padded(whole % 3600 / 60)) min"
    default: "\(thousands(String(whole / 86_400))) d \(padded(whole % 86_400 / 3600)) h"
    }
}

private func rounded(_ value: Double, _ digits: Int) -> String {
    if value == 0 { return "0" }
    let digits = max(1, digits)
    let exponent = Int(log10(abs(value)).rounded(.down))
    if exponent < -7 || exponent >= 15 { return formatted("%.\(digits - 1)e", value) }
    // Rounding may carry into a digit more: 9.996 with three digits is 10.0.
    var text = pointed(value, max(0, digits - 1 - exponent))
    let carried = text.utf8.lazy.filter { $0 >= 0x30 && $0 <= 0x39 }.drop { $0 == 0x30 }.count > digits
    if carried, digits - 1 - exponent > 0 { text = pointed(value, digits - 2 - exponent) }
    return thousands(text)
}

private func withoutTrailingZeros(_ text: String) -> String {
    let bytes = text.utf8
    guard bytes.contains(UInt8(ascii: ".")), !bytes.contains(UInt8(ascii: "e")), var end = bytes.lastIndex(where: { $0 != UInt8(ascii: "0") }) else { return text }
    if bytes[end] != UInt8(ascii: ".") { end = bytes.index(after: end) }
    return String(text[..<end])
}

private func pointed(_ value: Double, _ digits: Int) -> String {
    let text = formatted("%.\(min(max(digits, 0), 20))f", value)
    // -0.00 says nothing that 0.00 does not.
    return text.utf8.first == UInt8(ascii: "-") && !text.utf8.contains { $0 >= 0x31 && $0 <= 0x39 } ? String(text.dropFirst()) : text
}

/// C's rounding, correct to the last digit.
private func formatted(_ format: String, _ value: Double) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 400) { buffer in
        let count = withVaList([value]) { vsnprintf(buffer.baseAddress, buffer.count, format, $0) }
        return String(decoding: UnsafeRawBufferPointer(buffer).prefix(min(max(0, Int(count)), buffer.count - 1)), as: UTF8.self)
    }
}
