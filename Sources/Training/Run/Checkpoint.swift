import Diagnostics
import DictionaryLearning
import Formats
import Glibc
import Kernels

/// A run's state between two steps, in one file: the tensors of every trainer and, as JSON, all the rest.
///
/// The file is written beside the former one and takes its place when it is on disk, so one of the two is always whole; while it
/// is being written, there is room for both. Numbers go from the trainers' memory to the file without a copy. A checksum over all of it
/// tells damage from a checkpoint.
enum Checkpoint {
    static let fileName = "checkpoint.safetensors"
    private static let format = "monoseme training checkpoint 1"
    private static let checksumName = "checksum"

    /// - Parameters:
    ///   - run: the digest of the run's description.
    ///   - state: all that is not in tensors.
    ///   - tensors: of each trainer, in order.
    static func write(_ path: String, run: String, state: String, tensors: [[CheckpointTensor]]) throws {
        var sum = checksum(Array((run + state).utf8), 0)
        var parts: [SafetensorsPart] = []
        for (place, tensors) in tensors.enumerated() {
            for tensor in tensors {
                parts.append(SafetensorsPart(name(tensor, place), .f32, tensor.shape) { receive in
                    let bytes = UnsafeRawBufferPointer(tensor.elements)
                    sum = checksum(bytes, sum)
                    try receive(bytes)
                })
            }
        }
        parts.append(SafetensorsPart(checksumName, .u64, [1]) { receive in try withUnsafeBytes(of: sum.littleEndian) { try receive($0) } })
        try writeSafetensors(parts, metadata: ["format": format, "run": run, "state": state], to: path, isAlone: true)
    }

    /// Opens a checkpoint and makes sure that it is whole and of this run.
    /// - Throws: `MonosemeError` saying what is wrong with it.
    static func read(_ path: String, run: String) throws -> Reader {
        let hint = "remove it to begin this run anew, or put back the right one"
        let file: SafetensorsFile
        do { file = try SafetensorsFile(path) } catch let error as MonosemeError { throw MonosemeError("the checkpoint cannot be read: \(error.message)", hint: hint) }
        func problem(_ text: String) -> MonosemeError { MonosemeError("the checkpoint \(quoted(path, limit: 400)) \(text)", hint: hint) }
        guard file.metadata["format"] == format, let state = file.metadata["state"] else { throw problem("is not one that this version writes") }
        guard let owner = file.metadata["run"], owner == run else { throw problem("belongs to another run") }
        var sum = checksum(Array((run + state).utf8), 0)
        for name in file.names where name != checksumName { sum = checksum(file[name]!.bytes, sum) }
        guard file.names.last == checksumName, let kept = file[checksumName], kept.dtype == .u64, kept.count == 1,
              kept.bytes.loadUnaligned(as: UInt64.self).littleEndian == sum, let json = try? JSON(parsing: state)
        else { throw problem("is damaged: its numbers are not those its checksum was taken of") }
        return Reader(state: json, path: path, file: file)
    }

    struct Reader {
        let state: JSON
        let path: String
        fileprivate let file: SafetensorsFile

        /// Reads the tensors of the trainer at `place`.
        func fill(_ tensors: [CheckpointTensor], of place: Int) throws {
            for tensor in tensors {
                guard let kept = file[name(tensor, place)], kept.dtype == .f32, kept.shape == tensor.shape else {
                    throw MonosemeError("the checkpoint \(quoted(path, limit: 400)) lacks the tensor \(quoted(name(tensor, place))) of shape \(tensor.shape)",
                                        hint: "remove it to begin this run anew")
                }
                if let base = tensor.elements.baseAddress { try kept.copy(into: base) }
            }
        }

        /// What is said of a state that does not make sense.
        func problem(_ text: String) -> MonosemeError { MonosemeError("the checkpoint \(quoted(path, limit: 400)) \(text)", hint: "remove it to begin this run anew") }
    }

    private static func name(_ tensor: CheckpointTensor, _ place: Int) -> String { "\(place).\(tensor.name)" }

    private static func checksum(_ bytes: UnsafeRawBufferPointer, _ sum: UInt64) -> UInt64 {
        bytes.baseAddress.map { kernel_checksum(sum, $0.assumingMemoryBound(to: UInt8.self), bytes.count) } ?? sum
    }

    private static func checksum(_ bytes: [UInt8], _ sum: UInt64) -> UInt64 { bytes.withUnsafeBytes { checksum($0, sum) } }
}
