import FeatureCatalogue

// What lineage is called where people read it.

extension LineageKind {
    /// In a column.
    var shortWords: String {
        switch self {
        case .same: "same"
        case .split: "split"
        case .absorbed: "absorbed?"
        case .mergeAnd: "merge (and)"
        case .mergeOr: "merge (or)"
        case .overlap: "overlap"
        }
    }

    /// Below the tree.
    var explanation: String {
        switch self {
        case .same: "fires where its parent does and hardly anywhere else: the same feature again"
        case .split: "fires on a part of what its parent fires on"
        case .absorbed: "points as its parent does, which is silent where it fires: it may have absorbed the parent's firings there; a candidate, only a rule can tell"
        case .mergeAnd: "fires where both of its parents do"
        case .mergeOr: "fires where one or another of its parents does"
        case .overlap: "related by the evidence, in none of the ways that have a name"
        }
    }
}

extension LineageNode {
    /// What the feature is in a lineage, by itself, as a sentence; `nil` where nothing is said of it.
    func sentence(in lineage: Lineage, firings: Int?, tokens: Int?) -> String? {
        let isFine = feature.dictionary == lineage.fine.name, other = isFine ? lineage.coarse.name : lineage.fine.name
        let percent = NumberFormat.percent
        switch kind {
        case .noise:
            let counts = firings.map { ($0 == 0 ? "it never fires" : $0 == 1 ? "it fires once" : "it fires \(NumberFormat.grouped.text(Double($0))) times") + (tokens.map { " in \(counted($0, "token"))" } ?? "") }
            return "\(feature) is noise to \(other): \(counts ?? "it fires too rarely"), and \(LineageRule.firingsMinimum) firings are needed to tell what it is"
        case .novel:
            return "\(feature) is novel: no feature of \(other) explains it" + bestWords
        case .vanished:
            let union = unionCoverage.map { "; children together fire on \(percent.text($0)) of what it fires on" } ?? ""
            return "\(feature) has vanished: no feature of \(other) carries it on\(union)"
        case nil:
            return nil
        }
    }

    /// How near any feature of the smaller version comes, in brackets.
    var bestWords: String {
        let best = [bestCoverage.map { "the best covers \(NumberFormat.percent.text(max(0, $0))) of its firings above chance" }, bestCosine.map { "the nearest decoder vector is at a cosine of \(NumberFormat.fixed(2).text($0))" }].compactMap { $0 }
        return best.isEmpty ? "" : " (\(best.joined(separator: "; ")))"
    }

    /// How well a parent's children stand for it, in a column; `nil` for a feature without children.
    var familyWords: String? {
        guard let children, children > 0 else { return nil }
        let percent = NumberFormat.percent, one = children == 1
        let parts = [unionCoverage.map { "\(one ? "covers" : "cover") \(percent.text($0))" }, explained.map { "\(one ? "explains" : "explain") \(percent.text($0))" }].compactMap { $0 }
        return ([one ? "1 child" : "\(NumberFormat.grouped.text(Double(children))) children"] + (parts.isEmpty ? [] : [parts.joined(separator: ", ")])).joined(separator: " ")
    }
}

extension LabelSuggestion {
    /// In a line of its own: it must not be taken for a label.
    var words: String { "\(label) (from \(source), \(kind.shortWords), \(NumberFormat.fixed(2).text(confidence)))" }
}

extension MainTopic {
    var words: String { "\(name) \(NumberFormat.percent.text(share))" }
}
