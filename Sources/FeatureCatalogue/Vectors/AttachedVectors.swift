import Diagnostics
import Kernels
public import Numerics
import SQLite

/// How far attaching weights is: posting lists that have been rescaled, by features.
public struct AttachmentProgress: Sendable {
    public let features: Int
    public let featuresExpected: Int
}

extension Catalogue {
    /// Gives a dictionary that came without vectors its weights: decoder rows and codes, norms, and activations in the catalogue's unit, f·‖d‖.
    ///
    /// All in one transaction. What was imported is the file's own activation f; wherever a feature's scale is not 1, its posting lists are decoded,
    /// multiplied and encoded anew (which rounds once more, to within 2⁻¹¹), and all that was counted from them follows. Labels, which stand
    /// on no weights (an empty sha256), stay what they are. An export of ours that left the vectors out has all of this done but the vectors.
    ///
    /// - Parameters:
    ///   - description: of the weights; its name is not looked at.
    ///   - decoder: unit rows (features × width).
    ///   - norms, scales, encoderDecoderCosines: one a feature, as `register(_:model:decoder:norms:scales:encoderDecoderCosines:)` takes them.
    ///   - forEach: spreads the work on posting lists over threads.
    /// - Returns: how many features' activations were rescaled.
    /// - Throws: when the dictionary has vectors already, or another number of features; nothing is changed then.
    @discardableResult
    public func attach(
        _ description: DictionaryDescription, to dictionary: FeatureDictionary, decoder: borrowing Matrix, norms: [Float], scales: [Float], encoderDecoderCosines: [Float],
        forEach: ForEach = { count, body in try (0..<count).forEach(body) }, progress: (AttachmentProgress) -> Void = { _ in }
    ) throws -> Int {
        try demandSoundShape(dictionary)
        guard !dictionary.hasVectors else {
            let isSame = dictionary.weightsSHA256 == description.weightsSHA256
            throw MonosemeError("\(dictionary.name) has \(isSame ? "these weights" : "its weights") already (sha256 \(dictionary.weightsSHA256.prefix(12))…\(isSame ? "" : ", these are \(description.weightsSHA256.prefix(12))…"))",
                                hint: isSame ? "there is nothing to attach" : "weights are attached once, to a dictionary that was imported without them; ingest others under another name")
        }
        guard decoder.rows == dictionary.features else {
            throw MonosemeError("these weights have \(decoder.rows) features and \(dictionary.name) has \(dictionary.features)", hint: "attach the weights of the autoencoder whose activations were imported")
        }
        let blocks = try connection.integer("SELECT count(*) FROM decoder_block WHERE dictionary_id = ?", .init(dictionary.id)) ?? 0
        guard blocks == 0, decoder.columns > 0 else { throw MonosemeError("\(dictionary.name) in \(quoted(path, limit: 400)) is damaged: it has vectors of no width", hint: "monoseme check lists all damage") }
        // An export of ours tells the weights it stood on, and its activations are in the catalogue's unit already.
        let isKnown = !dictionary.weightsSHA256.isEmpty
        guard !isKnown || dictionary.weightsSHA256 == description.weightsSHA256 else {
            throw MonosemeError("\(dictionary.name) was imported from an export of other weights (sha256 \(dictionary.weightsSHA256.prefix(12))…, these are \(description.weightsSHA256.prefix(12))…)", hint: "attach the weights that were exported, or ingest these under another name")
        }
        var rescaled = 0
        try connection.transaction {
            try connection.run("UPDATE dictionary SET stated_width = NULL, width = ?, hook = ?, architecture = ?, settings = ?, weights_sha256 = ? WHERE id = ?", .init(decoder.columns), .text(description.hook),
                               .text(description.architecture), .text(description.settings), .text(description.weightsSHA256), .init(dictionary.id))
            let armed = try self.dictionary(named: dictionary.name)
            var feature = try Statement("UPDATE feature SET decoder_norm = ?, activation_scale = ?, encoder_decoder_cosine = ? WHERE id = ?", on: connection)
            for index in 0..<armed.features {
                let cosine = encoderDecoderCosines[index]
                try feature.run(.init(norms[index]), .init(scales[index]), cosine.isFinite ? .init(cosine) : .null, .init(armed.featureID(index)))
            }
            try writeVectors(decoder, of: armed)
            if !isKnown, let run = try runIfAny(of: armed) { rescaled = try rescale(run, by: scales, forEach: forEach, progress: progress) }
        }
        vectorIndexes.removeAll { $0.dictionary == dictionary.id }
        return rescaled
    }

    /// Multiplies the activations of each feature by its scale, in posting lists and in all that was counted from them.
    private func rescale(_ run: Run, by scales: [Float], forEach: ForEach, progress: (AttachmentProgress) -> Void) throws -> Int {
        guard scales.contains(where: { $0 != 1 }) else { return 0 }
        let segments = try segments(of: run), features = run.dictionary.features
        var write = try Statement("UPDATE posting SET list = ? WHERE id = ?", on: connection)
        var statistic = try Statement("UPDATE statistic SET sum = sum * ?, sum_of_squares = sum_of_squares * ?, maximum = ?, histogram = ? WHERE run_id = ? AND feature_id = ?", on: connection)
        var topic = try Statement("UPDATE feature_topic SET sum = sum * ?, maximum = maximum * ? WHERE run_id = ? AND topic_id = ? AND feature_id = ?", on: connection)
        let topics = try connection.rows("SELECT id FROM topic WHERE corpus_id = ? ORDER BY id", .init(run.corpus)) { $0.integer(0) }
        // Features in groups, each through all segments: 1 KB a feature for its histogram, and the lists of one segment.
        let bins = Int(KERNEL_BINS)
        for first in stride(from: 0, to: features, by: 4096) {
            let group = first..<min(features, first + 4096)
            var counts = [Int](repeating: 0, count: group.count * bins)
            var maxima = [Float](repeating: 0, count: group.count)
            for segment in segments {
                let slice = try postings(of: group, in: segment)
                var list = DecodedList()
                for (feature, range) in slice.lists where scales[feature] != 1 {
                    guard list.read(range, of: slice) else { throw damaged(feature, in: segment) }
                    let bytes = try list.withFirings { positions, values in
                        let scaled = values.map { $0 * scales[feature] }
                        guard let most = scaled.max(), most.isFinite else { throw MonosemeError("the activations of \(run.dictionary.name)/\(feature) times its decoder row's length \(scales[feature]) are beyond single precision") }
                        maxima[feature - first] = max(maxima[feature - first], most)
                        var rounded = [Float](repeating: 0, count: scaled.count)
                        let bytes = [UInt8](unsafeUninitializedCapacity: kernel_posting_bound(scaled.count)) { $1 = kernel_posting_encode(positions.baseAddress, scaled, scaled.count, $0.baseAddress, &rounded) }
                        for value in rounded { counts[(feature - first) * bins + Int(kernel_bin(value))] += 1 }
                        return bytes
                    }
                    write.bind(bytes, at: 0)
                    write.bind(firstPostingID(ofSegment: segment.id) + feature, at: 1)
                    try write.run()
                }
            }
            for feature in group where scales[feature] != 1 && maxima[feature - first] > 0 {
                let scale = Double(scales[feature]), histogram = ActivationHistogram(first: -Int(KERNEL_BIN_ZERO), counts: Array(counts[(feature - first) * bins..<(feature - first + 1) * bins]))
                try statistic.run(.real(scale), .real(scale * scale), .init(maxima[feature - first]), .blob(histogram.bytes), .init(run.id), .init(run.dictionary.featureID(feature)))
            }
            progress(AttachmentProgress(features: group.upperBound, featuresExpected: features))
        }
        for id in topics {
            for feature in 0..<features where scales[feature] != 1 { try topic.run(.init(scales[feature]), .init(scales[feature]), .init(run.id), .init(id), .init(run.dictionary.featureID(feature))) }
        }
        var checksum = try Statement("UPDATE segment SET checksum = ? WHERE id = ?", on: connection)
        for segment in segments { try checksum.run(.integer(Int64(bitPattern: try self.checksum(ofSegment: segment.id))), .init(segment.id)) }
        try countAgain(run, scales, forEach: forEach)
        return scales.reduce(0) { $0 + ($1 == 1 ? 0 : 1) }
    }

    /// Examples, tokens and evidence of topics. Counted anew from every firing; where only example windows came, what the source said of them is multiplied.
    private func countAgain(_ run: Run, _ scales: [Float], forEach: ForEach) throws {
        guard run.isComplete else { return }
        if try connection.first("SELECT evidence FROM run WHERE id = ?", .init(run.id), make: { $0.text(0) }) == "firings" {
            for table in ["feature_example", "feature_token"] { try connection.run("DELETE FROM \(table) WHERE run_id = ?", .init(run.id)) }
            return try writePostingSummary(of: run, forEach: forEach)
        }
        var example = try Statement("UPDATE feature_example SET value = value * ? WHERE run_id = ? AND feature_id = ?", on: connection)
        var group = try Statement("UPDATE feature_group SET low = low * ?1, high = high * ?1 WHERE run_id = ?2 AND feature_id = ?3", on: connection)
        var token = try Statement("UPDATE feature_token SET sum = sum * ? WHERE run_id = ? AND feature_id = ?", on: connection)
        for feature in 0..<run.dictionary.features where scales[feature] != 1 {
            try group.run(.init(scales[feature]), .init(run.id), .init(run.dictionary.featureID(feature)))
            try example.run(.init(scales[feature]), .init(run.id), .init(run.dictionary.featureID(feature)))
            try token.run(.init(scales[feature]), .init(run.id), .init(run.dictionary.featureID(feature)))
        }
    }
}
