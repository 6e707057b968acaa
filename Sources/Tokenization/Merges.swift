import Diagnostics
import Kernels

/// The merges of a model: which two neighbours become which token, and in what order of preference.
final class Merges: Sendable {
    let table: Buffer<kernel_merge>
    var mask: UInt32 { UInt32(table.count - 1) }

    /// - Parameter reader: stands at `["a b", …]` (tokenizers up to 0.19) or `[["a", "b"], …]` (from 0.20 on).
    init(_ reader: consuming TableReader, vocabulary: Vocabulary) throws(MonosemeError) {
        var reader = reader
        var merges: [kernel_merge] = []
        var scratch: [UInt8] = []
        try reader.expect(UInt8(ascii: "["))
        if !reader.take(UInt8(ascii: "]")) {
            repeat {
                scratch.removeAll(keepingCapacity: true)
                let middle: Int
                if reader.take(UInt8(ascii: "[")) {
                    try reader.string(into: &scratch)
                    middle = scratch.count
                    try reader.expect(UInt8(ascii: ","))
                    try reader.string(into: &scratch)
                    try reader.expect(UInt8(ascii: "]"))
                } else {
                    try reader.string(into: &scratch)
                    if merges.isEmpty, scratch.starts(with: "#version".utf8) { continue } // a heading some files carried over
                    guard let space = scratch.firstIndex(of: 0x20), scratch.lastIndex(of: 0x20) == space else {
                        throw MonosemeError("model.merges[\(merges.count)] is \(Self.quote(scratch[...])), not two tokens with one space between")
                    }
                    scratch.remove(at: space)
                    middle = space
                }
                let found = scratch.withUnsafeBufferPointer { text in
                    (vocabulary.find(.init(rebasing: text[..<middle])), vocabulary.find(.init(rebasing: text[middle...])), vocabulary.find(text))
                }
                guard let left = found.0, let right = found.1, let whole = found.2 else {
                    let missing = found.0 == nil ? scratch[..<middle] : found.1 == nil ? scratch[middle...] : scratch[...]
                    throw MonosemeError("model.merges[\(merges.count)] names the token \(Self.quote(missing)), which model.vocab lacks")
                }
                merges.append(kernel_merge(left: left, right: right, rank: UInt32(merges.count), id: whole))
            } while try reader.another(closing: UInt8(ascii: "]"))
        }
        try reader.finish()
        table = Buffer(repeating: kernel_merge(left: 0, right: 0, rank: .max, id: 0), count: slots(for: merges.count))
        let mask = UInt32(table.count - 1)
        for merge in merges { kernel_merge_insert(table.base, mask, merge) }
    }

    private static func quote(_ name: ArraySlice<UInt8>) -> String { quoted(String(decoding: name, as: UTF8.self)) }
}
