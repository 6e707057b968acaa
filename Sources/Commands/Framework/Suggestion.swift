/// The candidate that someone who typed `word` most likely meant, or `nil` if none is close.
///
/// Leading dashes do not count, a beginning of three letters is enough, otherwise a third of the letters may be wrong.
func nearest(to word: String, among candidates: [String]) -> String? {
    let typed = Array(word.drop { $0 == "-" }.lowercased().prefix(64))
    guard !typed.isEmpty else { return nil }
    var best: (candidate: String, distance: Int)?
    for candidate in candidates {
        let letters = Array(candidate.drop { $0 == "-" }.lowercased())
        var distance = editDistance(typed, letters)
        if distance > 1, typed.count >= 3, letters.starts(with: typed) { distance = 1 }
        let tolerance = letters.count < 3 ? 0 : max(1, letters.count / 3)
        if distance <= tolerance, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.candidate
}

/// Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`.
func editDistance(_ a: [Character], _ b: [Character]) -> Int {
    var beforeLast = [Int](repeating: 0, count: b.count + 1)
    var last = Array(0...b.count)
    for i in a.indices {
        var row = [i + 1]
        for j in b.indices {
            var cost = min(row[j] + 1, last[j + 1] + 1, last[j] + (a[i] == b[j] ? 0 : 1))
            if i > 0, j > 0, a[i] == b[j - 1], a[i - 1] == b[j] { cost = min(cost, beforeLast[j - 1] + 1) }
            row.append(cost)
        }
        (beforeLast, last) = (last, row)
    }
    return last[b.count]
}
