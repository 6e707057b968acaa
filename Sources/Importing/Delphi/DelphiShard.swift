import Diagnostics
import FeatureCatalogue
import Formats
import Glibc
import Kernels

/// The tokens of a cache: sequences of one length.
struct DelphiTokens {
    let tensor: SafetensorsTensor
    let path: String
    let sequences: Int
    let context: Int
    var count: Int { sequences * context }

    init(_ tensor: SafetensorsTensor, of path: String) throws {
        guard tensor.shape.count == 2, tensor.shape[0] > 0, tensor.shape[1] > 0 else {
            throw MonosemeError("\(quoted(path, limit: 400)): tensor \"tokens\" has shape \(tensor.shape) where [sequences, context] is needed")
        }
        guard [.u8, .u16, .i16, .i32, .u32, .i64, .u64].contains(tensor.dtype) else { throw MonosemeError("\(quoted(path, limit: 400)): tensor \"tokens\" holds \(tensor.dtype.rawValue) where token ids are needed") }
        (self.tensor, self.path, sequences, context) = (tensor, path, tensor.shape[0], tensor.shape[1])
        // The file holds them, so that their number cannot overflow; positions are of 32 bits.
        guard count < 1 << 31 else { throw MonosemeError("\(quoted(path, limit: 400)) has \(count) tokens; up to \(1 << 31 - 1) can be imported at once") }
    }

    /// The ids of some sequences.
    /// - Throws: for an id that is not of 0 ..< `vocabulary`.
    func ids(of wanted: Range<Int>, vocabulary: Int) throws -> [Int32] {
        func read<Number: FixedWidthInteger & BitwiseCopyable>(_: Number.Type) throws -> [Int32] {
            let bytes = tensor.bytes, size = MemoryLayout<Number>.size
            return try (wanted.lowerBound * context..<wanted.upperBound * context).map { place in
                let id = bytes.loadUnaligned(fromByteOffset: place * size, as: Number.self)
                guard let id = Int32(exactly: id), id >= 0, Int(id) < vocabulary else {
                    throw MonosemeError("\(quoted(path, limit: 400)): token \(place % context) of sequence \(place / context) is \(id), beyond a vocabulary of \(vocabulary)",
                                        hint: "give the tokenizer.json of the model that was cached with --tokenizer")
                }
                return id
            }
        }
        return switch tensor.dtype {
        case .u8: try read(UInt8.self)
        case .u16: try read(UInt16.self)
        case .i16: try read(Int16.self)
        case .i32: try read(Int32.self)
        case .u32: try read(UInt32.self)
        case .u64: try read(UInt64.self)
        default: try read(Int64.self)
        }
    }

    /// The first place at which another shard's copy differs; `nil`: nowhere.
    func difference(from other: DelphiTokens) throws -> Int? {
        if tensor.dtype == other.tensor.dtype, tensor.bytes.count == other.tensor.bytes.count, let a = tensor.bytes.baseAddress, let b = other.tensor.bytes.baseAddress, memcmp(a, b, tensor.bytes.count) == 0 { return nil }
        let a = try tensor.integers(), b = try other.tensor.integers()
        return zip(a, b).enumerated().first { $0.element.0 != $0.element.1 }?.offset
    }
}

/// One file of a cache: every activation of some latents, of which `n` rows of `locations` (sequence, position, latent less the first) say where.
final class DelphiShard: Sendable {
    let path: String
    let latents: Range<Int>
    let tokens: DelphiTokens?
    let rows: Int
    private let locations, activations: SafetensorsTensor
    private let locationBytes: Int

    init(_ path: String, latents: Range<Int>) throws {
        func problem(_ text: String) -> MonosemeError { MonosemeError("\(quoted(path, limit: 400)): \(text)", hint: "delphi writes locations [n, 3], activations [n] and tokens [sequences, context]") }
        let file = try SafetensorsFile(path)
        guard let locations = file["locations"], let activations = file["activations"] else { throw problem("tensor \"\(file["locations"] == nil ? "locations" : "activations")\" is missing") }
        guard locations.shape.count == 2, locations.shape[1] == 3 else { throw problem("tensor \"locations\" has shape \(locations.shape) where [n, 3] is needed") }
        guard activations.shape == [locations.shape[0]] else { throw problem("tensor \"activations\" has shape \(activations.shape), but there are \(locations.shape[0]) locations") }
        guard [.u16, .u32, .i32, .u64, .i64].contains(locations.dtype) else { throw problem("tensor \"locations\" holds \(locations.dtype.rawValue) where U16, U32, I32, U64 or I64 is needed") }
        guard [.f16, .bf16, .f32, .f64].contains(activations.dtype) else { throw problem("tensor \"activations\" holds \(activations.dtype.rawValue) where floats of 16 to 64 bits are needed") }
        (self.path, self.latents, self.locations, self.activations) = (path, latents, locations, activations)
        tokens = try file["tokens"].map { try DelphiTokens($0, of: path) }
        rows = locations.shape[0]
        locationBytes = locations.dtype.bits / 8
    }

    var bytes: Int { rows * (3 * locationBytes + activations.dtype.bits / 8) }

    /// Reads some rows.
    /// - Throws: naming the first that lies outside of the tokens or the shard's latents.
    func read(_ range: Range<Int>, _ tokens: DelphiTokens, into buffer: inout FiringBuffer) throws {
        buffer.reserve(range.count)
        guard !range.isEmpty else { return }
        let base = locations.bytes.baseAddress!.assumingMemoryBound(to: UInt8.self)
        let good = kernel_locations_read(base + range.lowerBound * 3 * locationBytes, range.count, Int32(locationBytes), UInt64(tokens.sequences), UInt64(tokens.context), UInt64(latents.count),
                                         &buffer.positions, &buffer.latents)
        guard good == range.count else { throw try outside(range.lowerBound + good, tokens) }
        try buffer.values.withUnsafeMutableBufferPointer { try activations.copy(range, into: $0.baseAddress!) }
        buffer.count = range.count
    }

    private func outside(_ row: Int, _ tokens: DelphiTokens) throws -> MonosemeError {
        let place = (0..<3).map { column -> String in
            let start = (row * 3 + column) * locationBytes, bytes = locations.bytes
            return switch locations.dtype {
            case .u16: "\(bytes.loadUnaligned(fromByteOffset: start, as: UInt16.self))"
            case .u32: "\(bytes.loadUnaligned(fromByteOffset: start, as: UInt32.self))"
            case .i32: "\(bytes.loadUnaligned(fromByteOffset: start, as: Int32.self))"
            case .u64: "\(bytes.loadUnaligned(fromByteOffset: start, as: UInt64.self))"
            default: "\(bytes.loadUnaligned(fromByteOffset: start, as: Int64.self))"
            }
        }
        return MonosemeError("\(quoted(path, limit: 400)): location \(row) is sequence \(place[0]), position \(place[1]), latent \(place[2]); there are \(tokens.sequences) sequences of \(tokens.context) tokens and \(latents.count) latents",
                             hint: "the file is damaged or of another cache: fetch or write it again")
    }

    /// Lets go of the memory that rows were read from.
    func release(_ range: Range<Int>) {
        locations.release(range.lowerBound * 3..<range.upperBound * 3)
        activations.release(range)
    }
}

/// Firings as they are read, kept for the next.
struct FiringBuffer: Sendable {
    var positions: [UInt32] = []
    var latents: [UInt32] = []
    var values: [Float] = []
    var count = 0

    /// Makes room; the arrays may be longer than `count`.
    mutating func reserve(_ rows: Int) {
        count = 0
        guard positions.count < rows else { return }
        positions = .init(repeating: 0, count: rows)
        latents = .init(repeating: 0, count: rows)
        values = .init(repeating: 0, count: rows)
    }
}
