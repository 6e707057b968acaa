import FeatureCatalogue

/// The windows that examples are cut from: each document in stretches of 32 tokens from its first, so that no two windows overlap.
///
/// The last of a document may be shorter; below 8 tokens it shows too little and is none. Windows are numbered in the order of the corpus.
public struct WindowGrid: Sendable {
    public static let length = 32, shortest = 8

    private let documents: DocumentTable
    /// Of each document, the number of its first window; one more at the end.
    private let firstWindows: [Int]

    private let tokens: Int

    /// - Parameter tokens: of the corpus, those that were run: what lies behind is not known.
    /// - Returns: `nil` where the documents do not lie end to end, as those of a damaged file may.
    public init?(_ documents: DocumentTable, tokens: Int) {
        (self.documents, self.tokens) = (documents, tokens)
        var next = 0
        var firsts = [0]
        firsts.reserveCapacity(documents.count + 1)
        for (start, length) in zip(documents.starts, documents.lengths) {
            guard start == next, length > 0, !next.addingReportingOverflow(length).overflow else { return nil }
            next += length
            let known = max(0, min(length, tokens - start))
            firsts.append(firsts[firsts.count - 1] + known / WindowGrid.length + (known % WindowGrid.length >= WindowGrid.shortest ? 1 : 0))
        }
        firstWindows = firsts
    }

    public var count: Int { firstWindows[firstWindows.count - 1] }

    /// The positions of a window.
    public func positions(of window: Int) -> Range<Int> {
        precondition(window >= 0 && window < count)
        var low = 0, high = documents.count
        while low < high {
            let middle = (low + high) / 2
            if firstWindows[middle + 1] <= window { low = middle + 1 } else { high = middle }
        }
        let first = documents.starts[low] + (window - firstWindows[low]) * WindowGrid.length
        let isLast = window + 1 == firstWindows[low + 1]
        // The last may be cut: by the document's end, or where the run has come to.
        return first..<(isLast ? min(first + WindowGrid.length, documents.starts[low] + documents.lengths[low], tokens) : first + WindowGrid.length)
    }

    /// The number of the window that holds `position`, a position of the document at `place` in the table; `nil` in a rest that is none.
    public func window(of position: Int, inDocumentAt place: Int) -> Int? {
        let window = firstWindows[place] + (position - documents.starts[place]) / WindowGrid.length
        return window < firstWindows[place + 1] ? window : nil
    }

    public func document(of window: Int) -> Int { documents.index(of: positions(of: window).lowerBound) }}
