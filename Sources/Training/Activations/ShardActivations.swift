import Diagnostics
import Formats
import Kernels
import LinearAlgebra

/// Activations that were kept in files: safetensors shards, each with one matrix (rows × width) in F32, F16, BF16 or F64.
///
/// The files are mapped and read in pieces, so they may be larger than memory.
public final class ShardActivations: ActivationSource {
    public let name: String
    public let width: Int
    public let overshoot = 0
    public var position: ActivationPosition { ActivationPosition(rows: row) }
    public var rowCount: ActivationCount { .exactly(firstRows.last!) }
    private let shards: [Shard]
    /// Of each shard, and of what would come after the last.
    private let firstRows: [Int]
    private var row = 0

    private struct Shard {
        let path: String
        let tensor: SafetensorsTensor
        var rows: Int { tensor.shape[0] }
    }

    /// The name of the matrix in files with several.
    static let tensorName = "activations"
    /// Rows that a thread takes at once.
    private static let rowsPerPiece = 1024

    /// - Parameter paths: shards, in this order, or folders, whose shards are read in order of their names.
    /// - Throws: `MonosemeError` naming the path that is missing, empty of shards or no such file, or the two shards that
    ///   do not agree in width.
    public init(_ paths: [String]) throws {
        let files = try paths.flatMap(ShardActivations.shards)
        guard let first = files.first else { throw MonosemeError("no activations were given", hint: "name their files or folders with --activations") }
        name = paths.count == 1 ? quoted(paths[0], limit: 400) : "\(files.count) shards from \(quoted(first, limit: 400)) on"
        var shards: [Shard] = [], firstRows = [0]
        for path in files {
            let shard = Shard(path: path, tensor: try ShardActivations.matrix(of: SafetensorsFile(path), path))
            if let other = shards.first, other.tensor.shape[1] != shard.tensor.shape[1] {
                throw MonosemeError("\(quoted(path, limit: 400)) has rows of \(shard.tensor.shape[1]) numbers, \(quoted(other.path, limit: 400)) of \(other.tensor.shape[1])",
                                    hint: "give activations of one model and hook point")
            }
            let (end, overflow) = firstRows.last!.addingReportingOverflow(shard.rows)
            guard !overflow else { throw MonosemeError("\(quoted(path, limit: 400)) claims \(shard.rows) rows, more than any memory holds") }
            shards.append(shard)
            firstRows.append(end)
        }
        width = shards[0].tensor.shape[1]
        (self.shards, self.firstRows) = (shards, firstRows)
    }

    private static func shards(at path: String) throws -> [String] {
        switch kind(of: path) {
        case .missing: throw MonosemeError("there are no activations at \(quoted(path, limit: 400))", hint: "check the path given with --activations")
        case .file, .other: return [path]
        case .folder:
            let names = try contents(ofFolder: path).filter { $0.hasSuffix(".safetensors") }
            guard !names.isEmpty else { throw MonosemeError("the folder \(quoted(path, limit: 400)) holds no safetensors files", hint: "give the folder with the shards themselves") }
            return names.map { path.hasSuffix("/") ? path + $0 : "\(path)/\($0)" }
        }
    }

    private static func matrix(of file: SafetensorsFile, _ path: String) throws -> SafetensorsTensor {
        let matrices = file.names.compactMap { file[$0] }.filter { $0.shape.count == 2 }
        guard let tensor = matrices.count == 1 ? matrices[0] : matrices.first(where: { $0.name == tensorName }) else {
            let held = file.names.prefix(10).map { "\(quoted($0)) \(file[$0]!.shape)" }.joined(separator: ", ")
            throw MonosemeError("\(quoted(path, limit: 400)) holds \(matrices.isEmpty ? "no" : "\(matrices.count)") matrices of rows × width\(held.isEmpty ? "" : ": \(held)")",
                                hint: matrices.isEmpty ? "flatten what has more dimensions to [tokens, width]" : "call the one that is meant \(quoted(tensorName))")
        }
        guard [.f32, .f16, .bf16, .f64].contains(tensor.dtype) else {
            throw MonosemeError("\(quoted(path, limit: 400)): tensor \(quoted(tensor.name)) holds \(tensor.dtype.rawValue), which is not supported", hint: "convert it to F32, F16 or BF16")
        }
        guard tensor.shape[1] > 0 else { throw MonosemeError("\(quoted(path, limit: 400)): tensor \(quoted(tensor.name)) has shape \(tensor.shape), rows without numbers") }
        return tensor
    }

    /// The digest of each shard's dtype, shape and numbers. Of a matrix of more than 4 MB, 64 evenly spaced pieces of
    /// 64 KB are read: telling whether other files were given must not take as long as training on them.
    public func fingerprint() throws -> String {
        var hash = SHA256()
        for shard in shards {
            hash.update("\(shard.tensor.dtype.rawValue) \(shard.tensor.shape)\n")
            let bytes = shard.tensor.bytes, pieces = 64, size = 1 << 16
            withExtendedLifetime(shard.tensor) {
                guard bytes.count > pieces * size else { return hash.update(bytes) }
                for piece in 0..<pieces {
                    // The last one ends with the matrix.
                    let start = (bytes.count - size) / (pieces - 1) * piece
                    hash.update(UnsafeRawBufferPointer(rebasing: piece == pieces - 1 ? bytes.suffix(size) : bytes[start..<start + size]))
                }
            }
        }
        return hexadecimal(hash.finalize())
    }

    public func seek(to position: ActivationPosition) throws {
        guard position.documents == 0, position.tokens == 0, (0...firstRows.last!).contains(position.rows) else {
            throw MonosemeError("\(name) has no row \(position.rows)", hint: "give the activations that the run was begun with")
        }
        row = position.rows
    }

    public func read(_ rows: Int, into target: UnsafeMutablePointer<Float>, threads: Int) throws -> Int {
        let end = row + min(rows, firstRows.last! - row), width = width
        var pieces: [(shard: Shard, rows: Range<Int>, target: Int)] = []
        for (place, shard) in shards.enumerated() {
            let mine = (firstRows[place]..<firstRows[place + 1]).clamped(to: row..<end)
            for start in stride(from: mine.lowerBound, to: mine.upperBound, by: ShardActivations.rowsPerPiece) {
                let stop = min(mine.upperBound, start + ShardActivations.rowsPerPiece)
                pieces.append((shard, start - firstRows[place]..<stop - firstRows[place], start - row))
            }
        }
        nonisolated(unsafe) let target = target
        try forEachInParallel(pieces.count, threads: threads) { [pieces] place in
            let (shard, rows, first) = pieces[place], count = rows.count * width
            let elements = rows.lowerBound * width..<rows.upperBound * width
            try shard.tensor.copy(elements, into: target + first * width)
            shard.tensor.release(elements)
            guard kernel_count_not_finite(target + first * width, count) == 0 else {
                let bad = kernel_first_not_finite(target + first * width, count)
                throw MonosemeError(
                    "\(quoted(shard.path, limit: 400)): tensor \(quoted(shard.tensor.name)) holds \(notFinite(target[first * width + bad])) in row \(rows.lowerBound + bad / width) (of \(shard.rows), counted from 0)",
                    hint: "leave such rows out, or make the activations anew")
            }
        }
        defer { row = end }
        return end - row
    }

    public var emptiness: MonosemeError { MonosemeError("\(name) holds no rows\(shards.count > 1 ? " (\(shards.count) shards)" : "")", hint: "give shards with activations") }
}

/// What a number is that is not finite.
func notFinite(_ value: Float) -> String { value.isNaN ? "NaN" : "an infinite number" }
