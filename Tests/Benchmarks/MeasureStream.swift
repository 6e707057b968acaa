import Formats
import Ingestion
import LinearAlgebra
import Tokenization
import Training
import Transformer

/// What training pays for its activations: a shuffled stream over a corpus, beside the model alone on the same contexts.
/// One line of JSON; rows are tokens.
func measureStream(_ folder: String, corpus: String, hook: String, threads: Int, rows: Int) throws -> String {
    let hooked = try HookedModel(folder: folder, hook: hook, contextLength: nil, prependsBOS: false)
    let stream = try ActivationStream(CorpusActivations(hooked, CorpusOptions(paths: [corpus])), batchSize: 4096, seed: 1, threads: threads)
    let start = Usage.now
    var served = 0
    while served < rows { try stream.advance(); served += stream.batch.rows }
    let streamed = Usage.now

    // The same text, as batches that are ready to run.
    let reader = try CorpusReader(CorpusOptions(paths: [corpus])), encoder = hooked.tokenizer.makeEncoder()
    var tokens: [Int32] = [], contexts: [Range<Int>] = []
    let reading = Usage.now
    while tokens.count < rows, let document = try reader.next() {
        let ids = document.text.withUnsafeBytes { encoder.encode($0) }
        for first in stride(from: 0, to: ids.count, by: hooked.contextTokens) {
            contexts.append(tokens.count + first..<tokens.count + min(ids.count, first + hooked.contextTokens))
        }
        tokens += ids
    }
    let read = Usage.now
    let batches = hooked.batches(tokens, contexts: contexts), passes = max(1, rows / tokens.count)
    let running = Usage.now
    for _ in 0..<passes {
        try forEachInParallel(batches.count, threads: threads) { _ = try hooked.model.activations(of: batches[$0].batch, at: hooked.hook) }
    }
    let ran = Usage.now

    var writer = JSONWriter()
    writer.object { writer in
        writer.member("threads", threads)
        writer.member("rows", served)
        writer.member("rows_per_second", Double(served) / (streamed.wall - start.wall))
        writer.member("rows_per_cpu_second", Double(served) / (streamed.cpu - start.cpu))
        writer.member("model_alone_rows_per_second", Double(passes * tokens.count) / (ran.wall - running.wall))
        writer.member("model_alone_rows_per_cpu_second", Double(passes * tokens.count) / (ran.cpu - running.cpu))
        writer.member("reading_and_tokenising_rows_per_cpu_second", Double(tokens.count) / (read.cpu - reading.cpu))
        writer.member("memory_peak", ran.memoryPeak)
    }
    return writer.text
}
