import Diagnostics
import SQLite

/// A feature with its ancestors and its descendants, over all lineages there are, and the edges by which they are that.
public struct LineageFamily: Sendable {
    public let feature: FeatureName
    /// Ancestors, the feature and descendants, the smallest dictionaries first, then by index.
    public let members: [LineageMember]
    /// In order of parent and child, as members are.
    public let edges: [LineageEdge]
    /// Edges of the feature itself that the tier leaves out.
    public let weakerParents, weakerChildren: Int
}

/// One feature of a family and what a reader wants to know of it.
public struct LineageMember: Sendable {
    public enum Relation: String, Sendable { case ancestor, itself = "self", descendant }

    public let feature: FeatureName
    public let relation: Relation
    public let label: String?
    /// Where it has no label: those of its kin, the surest first.
    public let suggestions: [LabelSuggestion]
    /// `nil` where its dictionary has not been run.
    public let firings, tokens: Int?
    /// Those with most of its activation, at most three.
    public let topTokens: [String]
    public let topic: MainTopic?
    /// All its parents, those that are not of the family too, the surest first.
    public let parents: [FeatureName]
    /// What is said of it by itself in each lineage it is in.
    public let facts: [(lineage: Lineage, node: LineageNode)]
}

/// The topic that holds most of a feature's firings, of those where it fires at least twice as often as elsewhere on average.
public struct MainTopic: Sendable, Equatable {
    /// A topic that holds less is not what a feature is about.
    static let shareMinimum = 0.2
    static let liftMinimum = 2.0

    public let name: String
    public let share, lift: Double
}

extension Catalogue {
    /// A feature's family.
    ///
    /// Ends on any file: each feature is visited once, whatever loops the edges may form.
    /// - Parameters:
    ///   - tier: weaker edges are not followed.
    ///   - depth: how many versions up and down.
    /// - Throws: when no lineage with the feature's dictionary has been begun.
    public func family(of name: FeatureName, tier: LineageTier = .likely, depth: Int = 8) throws -> LineageFamily {
        let (dictionary, index) = try feature(name), known = try lineages()
        guard known.contains(where: { $0.coarse.id == dictionary.id || $0.fine.id == dictionary.id }) else { throw try noLineage(of: dictionary) }
        let start = dictionary.featureID(index), dictionaries = Dictionary(uniqueKeysWithValues: try dictionaries().map { ($0.id, $0) })
        var edges: [EdgeKey: LineageEdge] = [:], weaker = [0, 0]
        /// All that is reached by going from child to parent, or from parent to child.
        func reach(_ isUp: Bool) throws -> Set<Int> {
            let order = "ORDER BY confidence DESC, child_id, parent_id"
            var statement = try Statement(isUp ? "\(edgeQuery) WHERE build_id IN (SELECT id FROM lineage_build) AND child_id = ? \(order)" : "\(edgeQuery) WHERE parent_id = ? \(order)", on: connection)
            var seen: Set<Int> = [start], frontier = [start]
            for level in 0..<depth where !frontier.isEmpty {
                var next: [Int] = []
                for id in frontier {
                    statement.bind(id, at: 0)
                    while try statement.step() {
                        let key = EdgeKey(parent: statement.integer(18), child: statement.integer(19))
                        guard let edge = try LineageEdge(statement), exists(key.parent, dictionaries), exists(key.child, dictionaries) else { continue }
                        guard edge.tier >= tier else { if level == 0 { weaker[isUp ? 0 : 1] += 1 }; continue }
                        edges[key] = edge
                        let other = isUp ? key.parent : key.child
                        if seen.insert(other).inserted { next.append(other) }
                    }
                    statement.reset()
                }
                frontier = next
            }
            return seen
        }
        let up = try reach(true), down = try reach(false)
        // By size of the dictionary; a damaged file may have a feature among both.
        func precedes(_ a: Int, _ b: Int) -> Bool { (dictionaries[a >> 32]!.features, a) < (dictionaries[b >> 32]!.features, b) }
        let ids = up.union(down).sorted(by: precedes)
        let members = try members(tier, ids.map { ($0, $0 == start ? .itself : up.contains($0) ? .ancestor : .descendant) }, dictionaries, known)
        return LineageFamily(feature: name, members: members, edges: edges.sorted { $0.key.parent == $1.key.parent ? precedes($0.key.child, $1.key.child) : precedes($0.key.parent, $1.key.parent) }.map(\.value),
                             weakerParents: weaker[0], weakerChildren: weaker[1])
    }

    private func exists(_ id: Int, _ dictionaries: [Int: FeatureDictionary]) -> Bool { dictionaries[id >> 32].map { (id & 0xffff_ffff) < $0.features } ?? false }

    /// That there is no lineage to look at, and what would make one.
    func noLineage(of dictionary: FeatureDictionary) throws -> MonosemeError {
        let versions = try dictionaries().filter { $0.hasSoundShape && ($0.name.family == dictionary.name.family || $0.id == dictionary.id) }.sorted { ($0.features, $0.id) < ($1.features, $1.id) }
        let sizes = Set(versions.map(\.features))
        let hint = sizes.count > 1 && sizes.count == versions.count ? "monoseme lineage build \(versions.map(\.name.description).joined(separator: " "))"
            : "ingest a smaller or larger dictionary, then: monoseme lineage build SMALL LARGE"
        return MonosemeError("no lineage of \(dictionary.name) has been built", hint: hint)
    }

    private func members(_ tier: LineageTier, _ ids: [(id: Int, relation: LineageMember.Relation)], _ dictionaries: [Int: FeatureDictionary], _ lineages: [Lineage]) throws -> [LineageMember] {
        var overview = try Statement("SELECT label, firings, tokens, run_id FROM feature_overview WHERE feature_id = ?", on: connection)
        var token = try Statement("""
            SELECT t.text FROM feature_token AS f JOIN run AS r ON r.id = f.run_id JOIN corpus AS c ON c.id = r.corpus_id JOIN token AS t ON t.tokenizer_id = c.tokenizer_id AND t.token = f.token
            WHERE f.run_id = ? AND f.feature_id = ? AND f.rank <= 3 ORDER BY f.rank
            """, on: connection)
        var topic = try Statement("""
            SELECT topic, share, lift FROM topic_rate WHERE run_id = ? AND topic_id IN (SELECT t.id FROM topic AS t JOIN run AS r ON r.corpus_id = t.corpus_id WHERE r.id = ?) AND feature_id = ?
                AND share >= \(MainTopic.shareMinimum) AND lift >= \(MainTopic.liftMinimum) ORDER BY share DESC, lift DESC, topic LIMIT 1
            """, on: connection)
        var fact = try Statement("SELECT kind, best_coverage, best_cosine, children, union_coverage, explained FROM lineage_feature WHERE build_id = ? AND feature_id = ?", on: connection)
        var parent = try Statement("SELECT parent_id, tier FROM lineage_edge WHERE build_id = ? AND child_id = ? ORDER BY confidence DESC, parent_id", on: connection)
        func name(_ id: Int) -> FeatureName { FeatureName(dictionary: dictionaries[id >> 32]!.name, index: id & 0xffff_ffff) }
        let names = ids.map { name($0.id) }
        let suggestions = try labelSuggestions(for: names)
        return try ids.indices.map { place in
            let (id, relation) = ids[place]
            var label: String?, counts: (firings: Int, tokens: Int)?, run: Int?
            overview.bind(id, at: 0)
            if try overview.step() { (label, counts, run) = (overview.optionalText(0), (overview.integer(1), overview.integer(2)), overview.integer(3)) }
            overview.reset()
            var tokens: [String] = [], main: MainTopic?
            if let run {
                token.bind([.init(run), .init(id)])
                while try token.step() { tokens.append(token.text(0)) }
                token.reset()
                topic.bind([.init(run), .init(run), .init(id)])
                if try topic.step() { main = MainTopic(name: topic.text(0), share: topic.real(1), lift: topic.real(2)) }
                topic.reset()
            }
            var facts: [(Lineage, LineageNode)] = [], parents: [FeatureName] = []
            for lineage in lineages where lineage.coarse.id == id >> 32 || lineage.fine.id == id >> 32 {
                fact.bind([.init(lineage.id), .init(id)])
                if try fact.step() {
                    facts.append((lineage, LineageNode(feature: names[place], kind: fact.optionalText(0).flatMap(LineageNode.Kind.init), bestCoverage: fact.optionalReal(1), bestCosine: fact.optionalReal(2),
                                                       children: fact.optionalInteger(3), unionCoverage: fact.optionalReal(4), explained: fact.optionalReal(5))))
                }
                fact.reset()
                guard lineage.fine.id == id >> 32 else { continue }
                parent.bind([.init(lineage.id), .init(id)])
                while try parent.step() { if exists(parent.integer(0), dictionaries), let known = LineageTier(rawValue: parent.text(1)), known >= tier { parents.append(name(parent.integer(0))) } }
                parent.reset()
            }
            return LineageMember(feature: names[place], relation: relation, label: label, suggestions: label == nil ? suggestions[place] : [], firings: counts?.firings, tokens: counts?.tokens,
                                 topTokens: tokens, topic: main, parents: parents, facts: facts)
        }
    }
}

private struct EdgeKey: Hashable { let parent, child: Int }
