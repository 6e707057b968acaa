import Diagnostics
import FeatureCatalogue
import Formats

/// The explanations and scores of a results folder, as labels and scores of the ledger.
///
/// An explanation is taken for accepted: it is what its makers published. Its method says where it is from. What delphi writes where the answer
/// held no explanation is kept as "I don't know". Judgements come without their windows: the example's text alone does not say where in the
/// corpus it stood.
struct DelphiLabels {
    private let folder: DelphiFolder
    private let name: DictionaryName
    private let request: ImportRequest
    private let catalogue: Catalogue
    private let author: String

    /// What delphi gives as an explanation where there is none.
    static let unparsed = "Explanation could not be parsed."
    private static let methods = [("detection", "detection"), ("fuzz", "fuzzing"), ("simulation", "simulation")]

    init(_ folder: DelphiFolder, _ name: DictionaryName, _ request: ImportRequest, _ catalogue: Catalogue) {
        (self.folder, self.name, self.request, self.catalogue) = (folder, name, request, catalogue)
        author = folder.explainer.map { String($0.prefix(200)) } ?? "delphi"
    }

    func write(_ summary: inout ImportSummary, warn: (String) -> Void) throws {
        let labels = try writeLabels(&summary, warn: warn)
        var homeless = 0, first = ""
        for (directory, method) in DelphiLabels.methods {
            for (latent, path) in try folder.files(of: "scores/\(directory)") {
                guard let label = labels[latent] else {
                    homeless += 1
                    if first.isEmpty { first = path }
                    continue
                }
                var score = LabelScoreEntry(label: label, feature: FeatureName(dictionary: name, index: latent), method: method)
                score.judge = folder.explainer
                try (method == "simulation" ? simulation(path, &score) : judgements(path, &score))
                _ = try catalogue.addScore(score, author: author, at: request.time)
                summary.scores += 1
            }
        }
        if homeless > 0 { warn("\(homeless) score file\(homeless == 1 ? "" : "s") left out, of features without an explanation (\(quoted(first, limit: 400))\(homeless == 1 ? "" : ", …"))") }
        if summary.scores > 0 { summary.missing.append("the judged examples have no places in the corpus, as delphi does not keep them: scores are counted from their rows, and the examples' text stays in its files") }
    }

    private func writeLabels(_ summary: inout ImportSummary, warn: (String) -> Void) throws -> [Int: Int] {
        var labels: [Int: Int] = [:], refused = 0, first = ""
        for (latent, path) in try folder.files(of: "explanations") {
            guard let text = try DelphiFolder.read(path).string else { throw MonosemeError("\(quoted(path, limit: 400)) holds no JSON string", hint: "an explanation of delphi is one string in quotes") }
            var entry = LabelEntry(text, for: FeatureName(dictionary: name, index: latent), author: author, authorKind: .model, method: "delphi")
            entry.isUnknown = text == DelphiLabels.unparsed
            do {
                labels[latent] = try catalogue.addLabel(entry, at: request.time).id
                summary.labels += 1
            } catch let error as MonosemeError {
                // The ledger's own rules: empty, too long, NUL. Nothing has been written for it.
                refused += 1
                if first.isEmpty { first = "\(quoted(path, limit: 400)): \(error.message)" }
            }
        }
        if refused > 0 { warn("\(refused) explanation\(refused == 1 ? "" : "s") left out (\(first)\(refused == 1 ? "" : ", …"))") }
        return labels
    }

    private func rows(_ path: String) throws -> [JSON] {
        let json = try DelphiFolder.read(path)
        guard let rows = json.array else { throw MonosemeError("\(quoted(path, limit: 400)) holds \(json.kind), not an array", hint: "a score of delphi is an array with an object for each example") }
        return rows
    }

    /// Yes or no, as a truth value or as 1 and 0; `nil` for null, −1 and other answers that are neither.
    private func verdict(_ json: JSON?) -> Bool? { json?.bool ?? json?.number.flatMap { $0 == 1 ? true : $0 == 0 ? false : nil } }

    private func judgements(_ path: String, _ score: inout LabelScoreEntry) throws {
        var right = [0, 0], answered = [0, 0] // of those that are false, and true
        for (place, row) in try rows(path).enumerated() {
            guard let isTrue = verdict(row["activating"]) else { throw MonosemeError("\(quoted(path, limit: 400)): example \(place) does not say whether it is \"activating\"") }
            let answer = verdict(row["prediction"])
            if let answer {
                answered[isTrue ? 1 : 0] += 1
                right[isTrue ? 1 : 0] += answer == isTrue ? 1 : 0
            }
            score.judgements.append(LabelJudgement(firstPosition: nil, isTrue: isTrue, verdict: answer, probability: row["probability"]?.number, detail: detail(["distance"], of: row)))
        }
        if answered.allSatisfy({ $0 > 0 }) { score.value = (Double(right[0]) / Double(answered[0]) + Double(right[1]) / Double(answered[1])) / 2 }
    }

    /// Groups of simulated sequences, by strength, and first (distance 0) all of them; the score is the correlation over all their tokens.
    private func simulation(_ path: String, _ score: inout LabelScoreEntry) throws {
        let groups = try rows(path)
        let whole = groups.first { $0["distance"]?.number == 0 && $0["scored_sequence_simulations"] != nil }
        var predicted: [Double] = [], actual: [Double] = []
        for (place, sequence) in (whole.map { [$0] } ?? groups).flatMap({ $0["scored_sequence_simulations"]?.array ?? [$0] }).enumerated() {
            let simulated = sequence["simulation"]?["expected_activations"] ?? sequence["predicted_activations"]
            guard let guesses = simulated?.array?.map({ $0.number }), let truths = (sequence["true_activations"] ?? sequence["activations"])?.array?.map({ $0.number }), guesses.count == truths.count,
                  !guesses.contains(nil), !truths.contains(nil) else {
                throw MonosemeError("\(quoted(path, limit: 400)): sequence \(place) has not one true and one expected activation for each of its tokens")
            }
            predicted += guesses.map { $0! }
            actual += truths.map { $0! }
            var writer = JSONWriter()
            writer.object { writer in
                writer.key("predicted")
                writer.array { writer in for guess in guesses { writer.value(guess!) } }
                writer.key("true")
                writer.array { writer in for truth in truths { writer.value(truth!) } }
            }
            score.judgements.append(LabelJudgement(firstPosition: nil, isTrue: truths.contains { $0! > 0 }, verdict: nil, detail: writer.text))
        }
        score.value = correlation(predicted, actual)
    }

    private func detail(_ keys: [String], of row: JSON) -> String? {
        let known = keys.compactMap { key in row[key].flatMap { $0.isNull ? nil : (key, $0) } }
        guard !known.isEmpty else { return nil }
        var writer = JSONWriter()
        writer.object { writer in for (key, value) in known { writer.key(key); writer.value(value) } }
        return writer.text
    }
}

/// Pearson's; `nil` where one of the two does not vary.
private func correlation(_ a: [Double], _ b: [Double]) -> Double? {
    guard a.count > 1 else { return nil }
    let meanA = a.reduce(0, +) / Double(a.count), meanB = b.reduce(0, +) / Double(b.count)
    var ab = 0.0, aa = 0.0, bb = 0.0
    for (x, y) in zip(a, b) { ab += (x - meanA) * (y - meanB); aa += (x - meanA) * (x - meanA); bb += (y - meanB) * (y - meanB) }
    let value = ab / (aa * bb).squareRoot()
    return value.isFinite ? value : nil
}
