import Synchronization

/// The scratch memory of one run. Runs borrow it from a pool: fresh memory of this size costs page faults, which at one
/// layer's work per token are a tenth of the time.
final class Workspace: @unchecked Sendable {
    enum Part: Int, CaseIterable { case residual, normed, projections, heads, neurons, written, scores, sums, cosines, sines, logits }

    private var blocks = [UnsafeMutableBufferPointer<Float>](repeating: .init(start: nil, count: 0), count: Part.allCases.count)
    /// How many positions the rotary tables in `cosines` and `sines` hold.
    var rotaryPositions = 0

    /// At least `count` floats; what a part held is lost when it grows.
    func part(_ part: Part, _ count: Int) -> UnsafeMutablePointer<Float> {
        if blocks[part.rawValue].count < max(1, count) {
            if let old = blocks[part.rawValue].baseAddress { UnsafeMutableRawPointer(old).deallocate() }
            let raw = UnsafeMutableRawPointer.allocate(byteCount: max(1, count) * MemoryLayout<Float>.stride, alignment: 64)
            blocks[part.rawValue] = .init(start: raw.bindMemory(to: Float.self, capacity: max(1, count)), count: max(1, count))
        }
        return blocks[part.rawValue].baseAddress!
    }

    deinit { for block in blocks { if let base = block.baseAddress { UnsafeMutableRawPointer(base).deallocate() } } }
}

/// Workspaces that no run uses at the moment; as many come to be as runs overlap.
final class WorkspacePool: Sendable {
    private let idle = Mutex<[Workspace]>([])

    func withWorkspace<Result: ~Copyable>(_ body: (Workspace) throws -> Result) rethrows -> Result {
        let workspace = idle.withLock { $0.popLast() } ?? Workspace()
        defer { idle.withLock { $0.append(workspace) } }
        return try body(workspace)
    }
}
