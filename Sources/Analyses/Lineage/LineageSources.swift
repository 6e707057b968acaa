import Diagnostics
import FeatureCatalogue

/// What there is to judge a lineage by, and what is missing.
struct LineageSources {
    let coarse, fine: Run
    /// Posting lists of both over one corpus.
    let hasActivations: Bool
    /// Decoder vectors of both in one space.
    let hasDecoders: Bool
    /// What is missing and what that costs.
    private(set) var warnings: [String] = []

    /// - Throws: when the order is wrong, a run is unfinished, or nothing is left to judge by.
    init(from coarse: FeatureDictionary, to fine: FeatureDictionary, in catalogue: Catalogue) throws {
        guard coarse.id != fine.id else { throw MonosemeError("a lineage runs between two versions, and \(coarse.name) was named twice", hint: "name a larger one second") }
        guard coarse.features < fine.features else {
            throw MonosemeError("a lineage runs from a smaller version to a larger one: \(coarse.name) has \(coarse.features) features and \(fine.name) has \(fine.features)",
                                hint: coarse.features == fine.features ? "monoseme near and cofiring() compare versions of one size" : "monoseme lineage build \(fine.name) \(coarse.name)")
        }
        (self.coarse, self.fine) = (try catalogue.run(of: coarse.name), try catalogue.run(of: fine.name))
        for run in [self.coarse, self.fine] where !run.isComplete {
            throw MonosemeError("the ingest of \(run.dictionary.name) is unfinished", hint: "run the same monoseme ingest again, then build the lineage")
        }
        let activations = try LineageSources.problem(self.coarse, self.fine, in: catalogue)
        var vectors: String?
        do { try catalogue.demandSameSpace(coarse, fine) } catch let error as MonosemeError { vectors = error.message }
        if vectors == nil, let bare = [coarse, fine].first(where: { !$0.hasVectors }) { vectors = catalogue.missingVectors(bare).message }
        if vectors == nil, coarse.width != fine.width { vectors = "the decoder vectors of \(coarse.name) have \(coarse.width) numbers and those of \(fine.name) have \(fine.width)" }
        (hasActivations, hasDecoders) = (activations == nil, vectors == nil)
        switch (activations, vectors) {
        case (nil, nil): break
        case (let activations?, let vectors?): throw MonosemeError("nothing connects \(coarse.name) and \(fine.name): \(activations); \(vectors)", hint: "ingest both over one corpus with every firing kept")
        case (let activations?, nil):
            warnings.append("\(activations): there is no evidence of activations. Edges are candidates by decoder cosine alone, their kinds cannot be told, and coverage is unknown")
        case (nil, let vectors?):
            warnings.append("\(vectors). Edges are by activations alone: a child that its parent is silent on (absorption) cannot be found")
        }
    }

    /// Why tokens of the two cannot be counted together, if so.
    private static func problem(_ coarse: Run, _ fine: Run, in catalogue: Catalogue) throws -> String? {
        for run in [coarse, fine] {
            if run.evidence == .examples { return "\(run.dictionary.name) was imported and has the firings of its example windows only" }
            if let keep = run.keepTop { return "\(run.dictionary.name) keeps only the \(keep) strongest firings of each feature" }
        }
        guard coarse.corpus != fine.corpus else { return nil }
        return "\(coarse.dictionary.name) was run over \(quoted(try catalogue.corpus(coarse.corpus).name)) and \(fine.dictionary.name) over \(quoted(try catalogue.corpus(fine.corpus).name))"
    }
}
