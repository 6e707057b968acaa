/// `text` as it is safe to show: nothing in it can move the cursor, change colours or the direction of writing.
///
/// Text of a corpus is not ours. Line breaks become ⏎, tabs ⇥, other control characters their pictures (␛), invisible
/// characters their numbers; joiners stay where they join.
func visible(_ text: some StringProtocol) -> String {
    if isPlain(text) { return String(text) }
    return text.reduce(into: "") { $0 += visible($1) }
}

/// Where a visible text may be cut: the part in focus stays.
struct Excerpt: Sendable, Equatable {
    let before: String
    let focus: String
    let after: String

    init(before: String, focus: String, after: String) {
        self.before = before
        self.focus = focus
        self.after = after
    }

    var text: String { before + focus + after }
}

/// As much of the beginning of `text` as fits into `width` columns, made visible; an ellipsis where it was cut.
func truncated(_ text: String, width: Int) -> String {
    if isPlain(text) { return text.utf8.count <= width ? text : width > 0 ? text.prefix(width - 1) + "…" : "" }
    var fit = Fit(text, width: width)
    fit.trim()
    return fit.pieces.joined() + (fit.isCut && width > 0 ? "…" : "")
}

/// The same from the end of `text`, with the ellipsis in front.
func truncatedStart(_ text: String, width: Int) -> String {
    var fit = Fit(text.reversed(), width: width)
    fit.trim()
    return (fit.isCut && width > 0 ? "…" : "") + fit.pieces.reversed().joined()
}

/// `excerpt` in `width` columns: the focus whole if it fits, and as much on both sides as there is room for.
///
/// `mark` paints the focus; it must not change its width. Made visible, cut by display width.
func truncated(_ excerpt: Excerpt, width: Int, mark: (String) -> String) -> String {
    let focus = truncated(excerpt.focus, width: width)
    let room = width - displayWidth(of: focus)
    let before = Fit(excerpt.before.reversed(), width: room)
    let after = Fit(excerpt.after, width: room)
    let half = room / 2
    let left: Int, right: Int
    if !before.isCut, before.width <= half || (!after.isCut && before.width + after.width <= room) {
        (left, right) = (before.width, room - before.width)
    } else if !after.isCut, after.width <= room - half {
        (left, right) = (room - after.width, after.width)
    } else {
        (left, right) = (half, room - half)
    }
    return truncatedStart(excerpt.before, width: left) + mark(focus) + truncated(excerpt.after, width: right)
}

/// The columns that `text` takes when it is made visible, counted up to `limit`: corpus text can be long.
func visibleWidth(of text: String, upTo limit: Int) -> Int {
    if isPlain(text) { return min(text.utf8.count, limit) }
    let fit = Fit(text, width: limit)
    return fit.isCut ? limit : fit.width
}

/// The characters of a text, made visible, that fit into a width.
private struct Fit {
    private(set) var pieces: [String] = []
    private(set) var width = 0
    /// Whether something was left out.
    private(set) var isCut = false
    private let limit: Int

    init(_ characters: some Sequence<Character>, width limit: Int) {
        self.limit = limit
        for character in characters {
            let piece = visible(character)
            let columns = displayWidth(of: piece)
            guard columns <= limit - width else { isCut = true; return }
            pieces.append(piece)
            width += columns
        }
    }

    /// Makes room for an ellipsis where something was left out.
    mutating func trim() {
        while isCut, width >= limit, let last = pieces.popLast() { width -= displayWidth(of: last) }
    }
}

/// More scalars in one cluster than any script or emoji needs are there to do harm.
private let clusterLimit = 16

private func visible(_ character: Character) -> String {
    if let ascii = character.asciiValue, ascii >= 0x20, ascii < 0x7f { return String(character) }
    var out = String.UnicodeScalarView()
    let scalars = character.unicodeScalars
    let joins = scalars.contains { $0.properties.isEmoji || $0.properties.isAlphabetic }
    var count = 0
    for scalar in scalars {
        count += 1
        if count > clusterLimit { break }
        switch scalar.value {
        case 0x0a, 0x2028, 0x2029: out.append("⏎")
        case 0x09: out.append("⇥")
        case 0..<0x20: out.append(Unicode.Scalar(0x2400 + scalar.value) ?? "␀")
        case 0x7f: out.append("␡")
        // Joiners, and the tags that name a flag, mean something beside a letter or an emoji only.
        case 0x200c, 0x200d, 0xe0020...0xe007f:
            if joins { out.append(scalar) } else { out.append(contentsOf: number(of: scalar)) }
        default:
            switch scalar.properties.generalCategory {
            case .control, .surrogate: out.append(contentsOf: number(of: scalar))
            case .format where !isVisibleFormat(scalar): out.append(contentsOf: number(of: scalar))
            case .nonspacingMark, .enclosingMark:
                // A mark without a letter would sit on whatever stands before it.
                if out.isEmpty { out.append("◌") }
                out.append(scalar)
            default: out.append(scalar)
            }
        }
    }
    return String(out)
}

private func number(of scalar: Unicode.Scalar) -> String.UnicodeScalarView {
    ("\\u{" + String(scalar.value, radix: 16) + "}").unicodeScalars
}
