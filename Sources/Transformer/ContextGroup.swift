/// Neighbouring contexts of a batch that go through a model together.
struct ContextGroup {
    let lengths: ArraySlice<Int>
    /// Where in the batch the first of them begins.
    let firstToken: Int
    let tokenCount: Int
    let longest: Int

    /// Cuts a batch into groups of at most `tokensMaximum` tokens, or of one context where that alone has more.
    static func groups(of batch: ContextBatch, tokensMaximum: Int) -> [ContextGroup] {
        var groups: [ContextGroup] = [], start = 0, firstToken = 0
        while start < batch.lengths.count {
            var end = start, count = 0, longest = 0
            while end < batch.lengths.count, end == start || count + batch.lengths[end] <= tokensMaximum {
                count += batch.lengths[end]
                longest = max(longest, batch.lengths[end])
                end += 1
            }
            groups.append(ContextGroup(lengths: batch.lengths[start..<end], firstToken: firstToken, tokenCount: count, longest: longest))
            (start, firstToken) = (end, firstToken + count)
        }
        return groups
    }
}
