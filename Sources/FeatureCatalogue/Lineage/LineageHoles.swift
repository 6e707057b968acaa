import Diagnostics

/// The tokens of a feature, or of a rule, that its children leave out, and who fires there.
public struct LineageHoles: Sendable {
    /// Which tokens should be covered.
    public enum Ground: Sendable, Equatable {
        /// Those on which this feature fires.
        case firings(of: FeatureName)
        /// Those of this tag or topic.
        case rule(String)
    }

    public let feature: FeatureName
    public let ground: Ground
    /// The features that should cover them: the children, or the feature itself.
    public let covering: [FeatureName]
    /// Tokens of the ground, and those on which none of `covering` fires.
    public let tokens: Int
    public let holes: PositionSet
    /// The run that was asked who fires there, and its answer, most often first.
    public let run: Run
    public let features: [FiringCount]
    /// Holes to look at: where the ground is a feature its strongest firings, else evenly spaced; one of a document before two.
    public let examples: [(position: Int, activation: Float?)]
}

extension Catalogue {
    /// Where none of a feature's children in the next larger version fires, of the edges that are likely or surer.
    ///
    /// A feature that has no children but a parent is compared with the parent; one that has neither has nothing but holes.
    /// - Parameters:
    ///   - rule: the name and the tokens of a tag or a topic, to stand in place of the tokens on which the feature (the parent) fires.
    ///   - examples: how many holes to choose as examples.
    /// - Throws: where the versions were run over different corpora, or keep only the strongest firings.
    public func holes(of name: FeatureName, rule: (name: String, tokens: PositionSet)? = nil, examples: Int) throws -> LineageHoles {
        let (dictionary, _) = try feature(name), known = try lineages()
        guard rule != nil || known.contains(where: { $0.coarse.id == dictionary.id || $0.fine.id == dictionary.id }) else { throw try noLineage(of: dictionary) }
        let next = known.first { $0.coarse.id == dictionary.id && $0.isComplete }
        let children = try next.map { next in try self.children(of: name).filter { $0.child.dictionary == next.fine.name && $0.tier > .candidate }.map(\.child) } ?? []
        let parent = try parents(of: name).first { $0.tier > .candidate }?.parent
        let owner: FeatureName, covering: [FeatureName], home: DictionaryName
        if let next, !children.isEmpty || parent == nil { (owner, covering, home) = (name, children.sorted { $0.index < $1.index }, next.fine.name) } else if let parent { (owner, covering, home) = (parent, [name], dictionary.name) } else {
            guard rule != nil else {
                throw MonosemeError("\(name) has neither children nor a parent that are likely or surer", hint: "name a rule for the tokens that it should fire on, with --rule TAG; or look for candidates: monoseme lineage \(name) --tier candidate")
            }
            (owner, covering, home) = (name, [name], dictionary.name)
        }
        let base = try run(of: owner.dictionary), run = try run(of: home)
        guard base.corpus == run.corpus, base.tokens == run.tokens else {
            throw MonosemeError("\(base.dictionary.name) and \(run.dictionary.name) were not run over the same tokens: who fires in holes cannot be told", hint: "ingest both over one corpus")
        }
        let ground = try rule?.tokens ?? firingPositions(of: owner.index, in: base)
        guard ground.length == (try corpus(run.corpus)).tokens else { throw MonosemeError("\(quoted(rule?.name ?? "")) is of another corpus than \(run.dictionary.name)", hint: "tag the corpus that was ingested") }
        var holes = ground
        for feature in covering { holes.subtract(try firingPositions(of: feature.index, in: run)) }
        let features = holes.isEmpty ? [] : try firingCounts(at: holes, in: run)
        let strengths = rule == nil ? try firings(of: owner.index, in: base) : nil
        return LineageHoles(feature: name, ground: rule.map { .rule($0.name) } ?? .firings(of: owner), covering: covering, tokens: ground.count, holes: holes, run: run, features: features,
                            examples: try chosen(examples, of: holes, strengths, corpus: run.corpus))
    }

    private func chosen(_ count: Int, of holes: PositionSet, _ strengths: PostingList?, corpus: Int) throws -> [(position: Int, activation: Float?)] {
        guard count > 0, !holes.isEmpty else { return [] }
        var places: [(position: Int, activation: Float?)]
        if let strengths {
            places = zip(strengths.positions, strengths.values).filter { holes.contains($0.0) }.map { ($0, $1) }
            places.sort { ($0.activation!, $1.position) > ($1.activation!, $0.position) }
        } else {
            let all = holes.positions, wanted = min(all.count, 8 * count)
            places = (0..<wanted).map { (all[$0 * all.count / wanted], nil) }
        }
        let documents = try documentTable(of: corpus)
        var seen: Set<Int> = [], first: [(Int, Float?)] = [], second: [(Int, Float?)] = []
        for place in places {
            if seen.insert(documents.index(of: place.position)).inserted { first.append(place) } else if second.count < count { second.append(place) }
            if first.count == count { break }
        }
        return Array((first + second).prefix(count))
    }
}
