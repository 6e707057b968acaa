/// The columns that `text` takes in a terminal: 2 for wide characters and emoji, 0 for what joins its neighbour.
///
/// Widths follow East Asian Width (Unicode Annex 11) and emoji presentation (Technical Standard 51), by grapheme cluster.
func displayWidth(of text: some StringProtocol) -> Int {
    if isPlain(text) { return text.utf8.count }
    return text.reduce(0) { $0 + columns(of: $1) }
}

/// Whether `text` is printable ASCII, each byte a character of one column: most of what is printed.
func isPlain(_ text: some StringProtocol) -> Bool {
    let isPlain: (UInt8) -> Bool = { $0 >= 0x20 && $0 < 0x7f }
    return text.utf8.withContiguousStorageIfAvailable { $0.allSatisfy(isPlain) } ?? text.utf8.allSatisfy(isPlain)
}

/// The columns of one grapheme cluster.
func columns(of character: Character) -> Int {
    if let ascii = character.asciiValue { return ascii >= 0x20 && ascii < 0x7f ? 1 : 0 }
    var widest = 0
    var count = 0
    for scalar in character.unicodeScalars {
        count += 1
        // U+FE0F asks for the emoji form of the scalar before it; two regional indicators are one flag.
        if scalar.value == 0xfe0f, widest > 0 { return 2 }
        if count == 2, isRegionalIndicator(scalar), character.unicodeScalars.first.map(isRegionalIndicator) == true { return 2 }
        widest = max(widest, columns(of: scalar))
        if widest == 2 { return 2 }
    }
    return widest
}

private func isRegionalIndicator(_ scalar: Unicode.Scalar) -> Bool { (0x1f1e6...0x1f1ff).contains(scalar.value) }

private func columns(of scalar: Unicode.Scalar) -> Int {
    let value = scalar.value
    if value >= 0x1100 {
        if isWide(value) { return 2 }
        if value >= 0x231a, !isRegionalIndicator(scalar), scalar.properties.isEmojiPresentation { return 2 }
    }
    return switch scalar.properties.generalCategory {
    case .nonspacingMark, .enclosingMark, .control, .lineSeparator, .paragraphSeparator: 0
    case .format: isVisibleFormat(scalar) ? 1 : 0
    // The vowels and finals of a Hangul syllable that is written in parts.
    case _ where (0x1160...0x11ff).contains(value) || (0xd7b0...0xd7ff).contains(value): 0
    default: 1
    }
}

/// Signs that Unicode counts as format characters although they are seen: those that go before Arabic and Syriac numbers.
func isVisibleFormat(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.value {
    case 0x600...0x605, 0x6dd, 0x70f, 0x890...0x891, 0x8e2, 0x110bd, 0x110cd: true
    default: false
    }
}

/// Wide and fullwidth characters other than emoji: East Asian scripts and their punctuation, by block.
private func isWide(_ value: UInt32) -> Bool {
    switch value {
    case 0x1100...0x115f, 0x2329...0x232a, 0x2e80...0x303e, 0x3041...0x3247, 0x3250...0x4dbf, 0x4e00...0xa4cf,
         0xa960...0xa97c, 0xac00...0xd7a3, 0xf900...0xfaff, 0xfe10...0xfe19, 0xfe30...0xfe6b, 0xff01...0xff60,
         0xffe0...0xffe6, 0x16fe0...0x18d08, 0x1aff0...0x1b2fb, 0x1f200...0x1f265, 0x20000...0x2fffd, 0x30000...0x3fffd: true
    default: false
    }
}

/// Whether `text` holds letters that are written from right to left, which would reorder a row of a table.
func isRightToLeft(_ text: some StringProtocol) -> Bool {
    text.unicodeScalars.contains { scalar in
        switch scalar.value {
        case 0..<0x590: false
        case 0x590...0x8ff, 0xfb1d...0xfdff, 0xfe70...0xfeff, 0x10800...0x10fff, 0x1e800...0x1efff: true
        default: false
        }
    }
}
