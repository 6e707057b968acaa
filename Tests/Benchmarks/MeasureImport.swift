import FeatureCatalogue
import Formats
import Glibc
import Importing

/// Writes a source in the layout of Neuronpedia's exports: `features` features, 45 examples of 127 tokens each (20 strongest, 25 of five intervals), from
/// 24,576 windows over 30,000 spellings of Zipf's frequencies, with some three activations to a window. As many bytes to a row as in the public exports, some 1.9 kB.
func writeDump(to folder: String, features: Int) throws {
    var random = Random(1)
    let spellings = (0..<30_000).map { id -> String in
        let letters = (0..<(1 + Int(random.next() % 8))).map { _ in String(UnicodeScalar(UInt8(97 + random.next() % 26))) }.joined()
        return (id % 3 == 0 ? "" : " ") + letters + (id % 50 == 0 ? "é" : id % 211 == 0 ? "\\n" : id % 307 == 0 ? "\\\"" : "")
    }
    func token() -> String { spellings[min(29_999, Int(exp(Double(random.next() >> 11) / 9_007_199_254_740_992 * log(30_000.0))))] }
    let windows = (0..<min(24_576, max(64, features * 8))).map { _ in (0..<127).map { _ in "\"\(token())\"" }.joined(separator: ",") }
    for part in ["", "/features", "/activations", "/explanations"] { mkdir(folder + part, 0o777) }
    func number(_ value: Double) -> String { "\(Double(Int(value * 100_000)) / 100_000)" }
    func uniform() -> Double { Double(random.next() >> 11) / 9_007_199_254_740_992 }
    let bars = (0..<50).map { number(Double($0) / 10 + 0.05) }.joined(separator: ","), heights = (0..<50).map { "\(500 - 10 * $0)" }.joined(separator: ",")
    let perFile = 256
    for batch in 0..<(features + perFile - 1) / perFile {
        guard let featureFile = fopen("\(folder)/features/batch-\(batch).jsonl", "w"), let exampleFile = fopen("\(folder)/activations/batch-\(batch).jsonl", "w"),
              let labelFile = fopen("\(folder)/explanations/batch-\(batch).jsonl", "w") else { throw POSIXProblem(path: folder) }
        defer { for file in [featureFile, exampleFile, labelFile] { fclose(file) } }
        for feature in batch * perFile..<min(features, (batch + 1) * perFile) {
            let head = "\"modelId\":\"bench-1l\",\"layer\":\"0-bench-\(features)\",\"index\":\"\(feature)\""
            let strings = (0..<10).map { _ in "\"\(token())\"" }.joined(separator: ","), falling = (0..<10).map { number(2 - Double($0) / 10) }.joined(separator: ","), rising = (0..<10).map { number(Double($0) / 10 - 2) }.joined(separator: ",")
            fputs("{\(head),\"creatorId\":\"clkht01d40000jv08hvalcvly\",\"maxActApprox\":4.2,\"frac_nonzero\":0.0021,\"freq_hist_data_bar_heights\":[\(heights)],\"freq_hist_data_bar_values\":[\(bars)],\"logits_hist_data_bar_heights\":[\(heights)],\"logits_hist_data_bar_values\":[\(bars)],\"neuron_alignment_indices\":[5,2,9],\"neuron_alignment_l1\":[0.04,0.02,0.02],\"neuron_alignment_values\":[0.41,0.22,0.2],\"correlated_neurons_indices\":[5],\"correlated_neurons_l1\":[0.61],\"correlated_neurons_pearson\":[0.58],\"decoder_weights_dist\":[],\"neg_str\":[\(strings)],\"neg_values\":[\(rising)],\"pos_str\":[\(strings)],\"pos_values\":[\(falling)],\"sourceSetName\":\"bench\",\"topkCosSimIndices\":[12],\"topkCosSimValues\":[0.81],\"vector\":[],\"vectorLabel\":null,\"hookName\":null,\"vectorDefaultSteerStrength\":10,\"hasVector\":false}\n", featureFile)
            for example in 0..<45 {
                var values = [String](repeating: "0.0", count: 127), maximum = 0.0, place = 0
                for _ in 0..<1 + Int(random.next() % 5) {
                    let at = Int(random.next() % 127), value = 4.2 * (example < 20 ? 0.8 + 0.2 * uniform() : uniform()) + 0.001
                    values[at] = number(value)
                    if value > maximum { (maximum, place) = (value, at) }
                }
                let bin = example < 20 ? "\"binContains\":-1,\"binMin\":-1,\"binMax\":4.2" : "\"binContains\":0.000\(example),\"binMin\":\(number(Double(example / 5 - 4) * 0.84)),\"binMax\":\(number(Double(example / 5 - 3) * 0.84))"
                fputs("{\"id\":\"c\(String(random.next(), radix: 36))\(String(random.next(), radix: 36))\",\(head),\"creatorId\":\"clkht01d40000jv08hvalcvly\",\"dataSource\":null,\"tokens\":[\(windows[Int(random.next() % UInt64(windows.count))])],\"maxValue\":\(number(maximum)),\"minValue\":0.0,\"values\":[\(values.joined(separator: ","))],\"maxValueTokenIndex\":\(place),\"dfaValues\":[],\"dfaMaxValue\":null,\"dfaTargetIndex\":null,\(bin)}\n", exampleFile)
            }
            fputs("{\"id\":\"c\(String(random.next(), radix: 36))\",\(head),\"authorId\":\"clkht01d40000jv08hvalcvly\",\"description\":\"words like \(feature)\",\"embedding\":null,\"typeName\":\"oai_token-act-pair\",\"explanationModelName\":\"gpt-4o-mini\",\"umap_x\":0,\"umap_y\":0,\"umap_cluster\":0,\"umap_log_feature_sparsity\":0}\n", labelFile)
        }
    }
}

struct POSIXProblem: Error { let path: String }

/// Imports a source as `monoseme import` would. One line of JSON.
func measureImport(_ folder: String, catalogue: String, threads: Int) throws -> String {
    for ending in ["", "-wal", "-shm"] { unlink(catalogue + ending) }
    let start = Usage.now
    var request = ImportRequest(.neuronpedia, at: folder, as: nil, engine: "benchmark", time: "2026-01-01T00:00:00Z")
    request.threads = threads
    let file = try Catalogue(path: catalogue, for: .ingesting)
    var bytes = 0, firstExample: Usage?
    let summary = try importing(request, into: file, report: { bytes = $0.bytes; if $0.examples > 0, firstExample == nil { firstExample = .now } })
    try file.checkpoint()
    let end = Usage.now
    var writer = JSONWriter()
    writer.object { writer in
        writer.member("what", "import")
        writer.member("threads", threads)
        writer.member("features", summary.features)
        writer.member("example_rows", summary.examples)
        writer.member("labels", summary.labels)
        writer.member("input_bytes", bytes)
        writer.member("catalogue_bytes", file.bytesOnDisk)
        writer.member("seconds", end.wall - start.wall)
        writer.member("cpu_seconds", end.cpu - start.cpu)
        writer.member("example_rows_per_second", Double(summary.examples) / (end.wall - start.wall))
        writer.member("example_rows_per_cpu_second", Double(summary.examples) / (end.cpu - start.cpu))
        writer.member("memory_peak", end.memoryPeak)
    }
    return writer.text
}
