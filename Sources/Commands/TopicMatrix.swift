import FeatureCatalogue
import Formats

/// `monoseme topics --matrix A/1`: features × topics, drawn for people and written out for programs.
enum TopicMatrix {
    static func print(_ run: Run, _ catalogue: Catalogue, _ invocation: Invocation) throws {
        // z is the default: it weighs what evidence there is, where the lift of a feature that fires twice is all noise.
        let order = invocation[Topics.order]?.topic ?? (TopicCells.isTested(run) ? .z : .lift), topics = try catalogue.topics(of: run.corpus)
        switch invocation[Shared.format] {
        case .table: try TopicHeatMap(run, topics, order, catalogue, invocation).print()
        case .csv: try writeCSV(run, topics, order, catalogue, invocation)
        case .json, .jsonl: try writeJSON(run, topics, order, catalogue, invocation)
        }
    }

    /// A row for each feature, a column for each topic; empty where there is no value.
    private static func writeCSV(_ run: Run, _ topics: [Topic], _ order: TopicOrder, _ catalogue: Catalogue, _ invocation: Invocation) throws {
        let table = invocation.tableWriter([Column("feature")] + topics.map { Column($0.name) })
        // Where it does not fire, these are zero; the others are not known.
        let silent: Cell = [.lift, .mass, .firings, .share].contains(order) ? .integer(0) : .missing
        try catalogue.forEachFeature(of: run, on: topics) { feature, rates in
            var row = [Cell](repeating: silent, count: topics.count + 1)
            row[0] = .text(FeatureName(dictionary: run.dictionary.name, index: feature).description)
            for (topic, rate) in rates { row[topic + 1] = Cell(rate.value(order)) }
            try table.append(row)
        }
        try table.finish()
    }

    /// An object for each feature, with the topics that it fires on.
    private static func writeJSON(_ run: Run, _ topics: [Topic], _ order: TopicOrder, _ catalogue: Catalogue, _ invocation: Invocation) throws {
        let isArray = invocation[Shared.format] == .json
        var isFirst = true
        try catalogue.forEachFeature(of: run, on: topics) { feature, rates in
            var writer = JSONWriter()
            writer.object { writer in
                writer.member("feature", FeatureName(dictionary: run.dictionary.name, index: feature).description)
                writer.key(key(order))
                writer.object { writer in
                    for (topic, rate) in rates { if let value = rate.value(order) { writer.member(topics[topic].name, value) } }
                }
            }
            try invocation.output.write(isArray ? isFirst ? "[\n" : ",\n" : "")
            try invocation.output.write(writer.drain())
            if !isArray { try invocation.output.write("\n") }
            isFirst = false
        }
        if isArray { try invocation.output.write(isFirst ? "[]\n" : "\n]\n") }
    }

    private static func key(_ order: TopicOrder) -> String {
        switch order {
        case .logOdds: "log_odds"
        case .mass: "mass_specificity"
        default: order.rawValue
        }
    }
}

/// The features that tell most of each topic, as a heat map.
private struct TopicHeatMap {
    private typealias Chosen = (feature: Int, value: Double)

    private let run: Run
    private let topics: [Topic]
    private let order: TopicOrder
    private let catalogue: Catalogue
    private let invocation: Invocation
    /// Features drawn for each topic, and how many features fire more often on some topic.
    private var chosen: [[Chosen]]
    private var telling = 0

    init(_ run: Run, _ topics: [Topic], _ order: TopicOrder, _ catalogue: Catalogue, _ invocation: Invocation) throws {
        (self.run, self.topics, self.order, self.catalogue, self.invocation) = (run, topics, order, catalogue, invocation)
        chosen = .init(repeating: [], count: topics.count)
        let count = invocation.isGiven(Topics.k) ? invocation[Topics.k] : 2
        try catalogue.forEachFeature(of: run, on: topics) { feature, rates in
            if rates.contains(where: { $0.rate.isSignificant }) { telling += 1 }
            var best: (topic: Int, value: Double)?
            for (topic, rate) in rates { if counts(rate), let value = rate.value(order), value > best?.value ?? -.infinity { best = (topic, value) } }
            if let best { TopicHeatMap.insert((feature, best.value), into: &chosen[best.topic], most: count) }
        }
    }

    /// Equal values stay in order of index.
    private static func insert(_ new: Chosen, into list: inout [Chosen], most: Int) {
        if list.count == most, new.value <= list[most - 1].value { return }
        list.insert(new, at: list.firstIndex { $0.value < new.value } ?? list.count)
        if list.count > most { list.removeLast() }
    }

    /// Whether a cell is to be shaded.
    private func counts(_ rate: TopicRate) -> Bool { TopicCells.isTested(run) && !invocation[Topics.all] ? rate.isSignificant : rate.lift > 1 }

    func print() throws {
        let style = invocation.style
        try invocation.print(style.bold(run.dictionary.name.description) + "  \(TopicCells.grouped(run.dictionary.features)) features × \(counted(topics.count, "topic")) of \(visible(try catalogue.corpus(run.corpus).name))")
        if let caveat = TopicCells.caveat(run) { try invocation.print(caveat) }
        else { try invocation.print("\(counted(telling, "feature")) fire\(telling == 1 ? "s" : "") more often on some topic with q ≤ 0.05.") }
        let drawn = chosen.reduce(0) { $0 + $1.count }
        guard drawn > 0 else { return try invocation.print("None is drawn: no feature fires more often on a topic\(TopicCells.isTested(run) && !invocation[Topics.all] ? ", q ≤ 0.05; --all draws what is not significant" : "").") }
        let map = HeatMap(heads: topics.map(\.name), rows: try topics.indices.flatMap { try rows(of: $0) })
        let (text, columns) = map.drawn(invocation.terminal)
        try invocation.print("Drawn: \(counted(drawn, "feature")), the first of each topic by \(order.rawValue)\(columns < topics.count ? "; \(columns) of \(TopicCells.grouped(topics.count)) topics fit" : "").")
        try invocation.print(legend + "\n")
        try invocation.output.write(text)
    }

    private func rows(of topic: Int) throws -> [HeatMap.Row] {
        let features = chosen[topic].map(\.feature), places = Dictionary(uniqueKeysWithValues: topics.enumerated().map { ($1.name, $0) })
        return try zip(features, try catalogue.briefs(of: features, in: run.dictionary)).map { feature, brief in
            var cells = [HeatMap.Cell](repeating: .empty, count: topics.count)
            for rate in try catalogue.topicRates(of: feature, in: run, by: order) {
                guard let place = places[rate.topic] else { continue }
                if counts(rate), let value = rate.value(order) { cells[place] = .shade(steps.count { value >= $0 }) }
            }
            return HeatMap.Row(group: topics[topic].name, name: FeatureName(dictionary: run.dictionary.name, index: feature).description,
                               note: brief.label ?? brief.topToken.map { "‘\($0)’" } ?? "", cells: cells)
        }
    }

    /// From which value on a cell is a shade darker.
    private var steps: [Double] {
        switch order {
        case .z, .logOdds: [5, 10, 20]
        case .lift: [2, 5, 10]
        case .f1: [0.25, 0.5, 0.75]
        case .auroc: [0.7, 0.85, 0.95]
        case .mass, .share: [0.1, 0.3, 0.6]
        case .firings: [100, 1000, 10_000]
        }
    }

    private var legend: String {
        let texts = steps.map { NumberFormat.atMost(3).text($0) }
        let blocks = HeatMap.blocks.indices.map { invocation.style.shade(String(HeatMap.blocks[$0]), $0) }
        return "\(order.rawValue): \(blocks[0]) below \(texts[0])  " + (1...3).map { "\(blocks[$0]) from \(texts[$0 - 1])" }.joined(separator: "  ")
    }
}
