import Diagnostics
import FeatureCatalogue

/// `monoseme topics --compare WIKI CODE --in A/1`: what tells two sets of documents apart.
enum TopicContrast {
    static func print(_ firstName: String, _ secondName: String, _ run: Run, _ catalogue: Catalogue, _ invocation: Invocation) throws {
        let order = invocation[Topics.order]?.topic ?? .z
        guard [.z, .lift, .firings].contains(order) else { throw UsageError("--by \(order.rawValue) does not go with --compare", hint: "it takes z, lift and firings") }
        let table = try catalogue.documentTable(of: run.corpus)
        let first = try catalogue.documentSet(named: firstName, of: run.corpus, table), second = try catalogue.documentSet(named: secondName, of: run.corpus, table)
        guard first != second else { throw UsageError("\(first.kind) \(quoted(first.name)) is compared with itself", hint: "name two topics, or two files of the corpus") }
        let lineage = try lineage(to: run.dictionary, invocation[Topics.families], catalogue)
        let units = try lineage.map { FeatureUnits(parents: try catalogue.surestParents(in: $0)) } ?? FeatureUnits(features: run.dictionary.features)
        let comparison = try catalogue.compare(first, second, in: run, units, documentsMinimum: invocation[Topics.documents], table)

        let shown = comparison.differences.filter { invocation[Topics.all] || ($0.q ?? 1) <= significantQ }
        let sides = [true, false].map { isFirst in
            Array(shown.filter { ($0.first.rate > $0.second.rate) == isFirst }.sorted { ranks($0, before: $1, order) }.prefix(invocation[Topics.k]))
        }
        if invocation.isForPeople { for line in head(comparison, units, lineage, run, invocation) { try invocation.print(line) } }
        let describe = Descriptions(catalogue, run.dictionary, lineage?.coarse)
        var rows = Table(columns(comparison))
        for (name, side) in zip([first.name, second.name], sides) {
            for (difference, about) in zip(side, try describe(side.map(\.unit))) { rows.append(cells(difference, moreOn: difference.first.rate == difference.second.rate ? nil : name, about)) }
        }
        if !invocation.isForPeople || !sides.allSatisfy(\.isEmpty) { try invocation.print(rows) }
        if !invocation.isForPeople, case let left = comparison.differences.count - shown.count, left > 0 {
            invocation.note("left out: \(TopicCells.grouped(left)) \(lineage == nil ? "features" : "families and features") without a difference at q ≤ 0.05; --all lists all")
        }
    }

    private static func lineage(to dictionary: FeatureDictionary, _ choice: FamilyChoice, _ catalogue: Catalogue) throws -> Lineage? {
        guard choice != .no else { return nil }
        let lineage = try catalogue.nearestLineage(to: dictionary)
        if lineage == nil, choice == .yes {
            throw MonosemeError("there is no complete lineage to \(dictionary.name): its features have no families", hint: "monoseme lineage build A/0 \(dictionary.name), with the smaller version in the place of A/0")
        }
        return lineage
    }

    private static func ranks(_ a: RateDifference, before b: RateDifference, _ order: TopicOrder) -> Bool {
        func key(_ d: RateDifference) -> Double {
            switch order {
            case .lift: max(d.first.lift, d.second.lift)
            case .firings: Double(d.first.firings + d.second.firings)
            default: abs(d.z ?? 0)
            }
        }
        let (x, y) = (key(a), key(b))
        return x != y ? x > y : a.unit.members[0] < b.unit.members[0]
    }

    private static func head(_ comparison: TopicComparison, _ units: FeatureUnits, _ lineage: Lineage?, _ run: Run, _ invocation: Invocation) -> [String] {
        let sets = [comparison.first, comparison.second].map { "\(invocation.style.bold(visible($0.name)))  \(counted($0.places.count, "document")), \(counted($0.tokens, "token"))" }
        let families = units.units.count { $0.isFamily }
        let subject = lineage.map { "\(TopicCells.grouped(units.units.count)) families and features (features that came of the same feature of \($0.coarse.name) are counted together: \(families == 1 ? "1 family" : "\(TopicCells.grouped(families)) families"))" }
            ?? "\(TopicCells.grouped(run.dictionary.features)) features, each by itself"
        let more = comparison.differences.filter { ($0.q ?? 1) <= significantQ }, onFirst = more.count { $0.first.rate > $0.second.rate }
        return sets + [
            "Compared: \(subject); tested: \(TopicCells.grouped(comparison.tested)), which fire in \(comparison.documentsMinimum) documents or more.",
            "More often with q ≤ 0.05: \(TopicCells.grouped(onFirst)) on \(visible(comparison.first.name)), \(TopicCells.grouped(more.count - onFirst)) on \(visible(comparison.second.name)).", "",
        ]
    }

    private static func columns(_ comparison: TopicComparison) -> [Column] {
        [Column("more on", key: "more_on", isFlexible: true), Column("feature"), Column("members", key: "members_shown", audience: .people), Column("family", audience: .programs), Column("members", audience: .programs),
         Column("label", isFlexible: true), Column("top tokens", key: "top_tokens", isFlexible: true), Column("documents", alignment: .right, audience: .people), Column("firings", alignment: .right, audience: .people), Column("lift", alignment: .right, audience: .people)]
            + ["first", "second"].flatMap { [Column("documents_\($0)", audience: .programs), Column("firings_\($0)", audience: .programs), Column("rate_\($0)", audience: .programs)] }
            + [Column("lift_first", audience: .programs), Column("lift_second", audience: .programs), Column("z"), Column("q", key: "q_shown", audience: .people), Column("q", audience: .programs)]
    }

    private static func cells(_ d: RateDifference, moreOn name: String?, _ about: Descriptions.Description) -> [Cell] {
        [Cell(name), .text(about.name), d.unit.isFamily ? .integer(d.unit.members.count) : .missing, Cell(about.family), .series(d.unit.members.map(Double.init)), Cell(about.label), .text(about.tokens),
         .text("\(d.first.documentsFiring) · \(d.second.documentsFiring)"), .text("\(TopicCells.grouped(d.first.firings)) · \(TopicCells.grouped(d.second.firings))"), .text("\(lift(d.first.lift)) · \(lift(d.second.lift))")]
            + [d.first, d.second].flatMap { [.integer($0.documentsFiring), .integer($0.firings), .real($0.rate)] as [Cell] }
            + [.real(d.first.lift), .real(d.second.lift), Cell(d.z, .fixed(1)), TopicCells.q(d.q), Cell(d.q)]
    }
}

private func lift(_ value: Double) -> String { NumberFormat.significant(2).text(value) }

/// What is said of features and families beside their numbers: a family goes by its parent.
private struct Descriptions {
    struct Description {
        let name: String
        /// The parent's name.
        let family: String?
        let label: String?
        let tokens: String
    }

    private let catalogue: Catalogue
    private let fine: FeatureDictionary
    private let coarse: FeatureDictionary?

    init(_ catalogue: Catalogue, _ fine: FeatureDictionary, _ coarse: FeatureDictionary?) { (self.catalogue, self.fine, self.coarse) = (catalogue, fine, coarse) }

    func callAsFunction(_ units: [FeatureUnits.Unit]) throws -> [Description] {
        try units.map { unit in
            let isFamily = unit.isFamily && coarse != nil
            let dictionary = isFamily ? coarse! : fine, index = isFamily ? unit.family! : unit.members[0]
            let family = coarse.flatMap { coarse in unit.family.map { FeatureName(dictionary: coarse.name, index: $0).description } }
            return Description(name: FeatureName(dictionary: dictionary.name, index: index).description, family: family,
                               label: try catalogue.briefs(of: [index], in: dictionary)[0].label, tokens: try tokens(of: index, in: dictionary))
        }
    }

    /// The first three, each in quotes.
    private func tokens(of index: Int, in dictionary: FeatureDictionary) throws -> String {
        try catalogue.connection.rows("""
            SELECT t.text FROM run AS r JOIN corpus AS c ON c.id = r.corpus_id
            JOIN feature_token AS ft ON ft.run_id = r.id AND ft.feature_id = ? AND ft.rank <= 3
            JOIN token AS t ON t.tokenizer_id = c.tokenizer_id AND t.token = ft.token WHERE r.dictionary_id = ? ORDER BY ft.rank
            """, .init(dictionary.featureID(index)), .init(dictionary.id)) { TopicCells.spelled($0.text(0)) }.joined(separator: " ")
    }
}
