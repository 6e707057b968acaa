import Analyses
import Diagnostics
import FeatureCatalogue
import Formats
import Glibc
import Ingestion

/// `monoseme label rule`: `RuleScorer.score` and `Catalogue.enter`.
enum LabelRuleCommand: Command {
    static let subject = Argument<String?>("FEATURE", help: "The feature, such as A/1/2357; with --all a dictionary")
    static let regex = Option<String?>("--regex", value: "REGEX", help: "The token has a byte in a match of this regular expression")
    static let tokens = Option<String?>("--tokens", value: "A,B", help: "The token is spelled like one of these, spaces and all; a comma or backslash within a token takes a backslash before it, \\xE5 is a byte")
    static let after = Option<String?>("--after", value: "A,B", help: "The token before it in its document is spelled like one of these")
    static let ranges = Option<[String]>("--range", value: "BLOCK", help: "The token has a byte of a character of this block of Unicode, or range, such as U+0600-U+06FF")
    static let topic = Option<String?>("--topic", value: "NAME", help: "The token's document is of this topic, or the token has this tag")
    static let above = Option<Double>("--above", value: "X", default: 0, in: 0..., help: "Only an activation greater than this is a firing")
    static let all = Flag("--all", help: "Score every current label of a dictionary that carries a rule")
    static let file = Option<String?>("--from", value: "FILE|-", help: "Score many features: JSON objects, one on a line, with feature, rule and, if one is to be added, label")
    static let saves = Flag("--save", help: "Keep the score: with the label that carries the rule, or with those that --label and --from add")
    static let label = Option<String?>("--label", value: "TEXT", help: "Add this label with the rule, and its score")
    static let author = Option<String>("--author", value: "NAME", default: "unknown", variable: "USER", help: "Who says so")
    static let k = Option<Int>("-k", value: "N", default: 10, in: 0..., help: "So many misses and false alarms are shown")
    static let timeLimit = Option<Double>("--time-limit", value: "SECONDS", default: 10, in: 0.001...86_400, help: "Give up a regular expression that takes longer over one document")

    static let declaration = Declaration(
        "label rule", summary: "score a label as a rule about tokens, exactly",
        discussion: """
            A rule says of every token of the corpus whether the feature should fire on it. Without an option it is the rule that the feature's current label \
            carries; several options must all hold.

            precision: of the tokens where the rule holds, those on which the feature fires. recall: of the tokens on which the feature fires, those where the \
            rule holds. (`topics --topic` asks the other way round: its specificity is this recall, its sensitivity this precision.) F1: of both. mass recall: of the summed activation, \
            the part where the rule holds. misses: the strongest firings where the rule does not hold. false alarms: tokens where it holds and the feature is silent, evenly spread.

            Everything is counted on the whole corpus. The 95 % intervals are by documents, by the jackknife: tokens of one document are no independent witnesses. They say how far the \
            numbers would move on other documents of the same kind.

            A score that stands already, with the same counts on the same evidence, is not kept twice.
            """,
        parameters: [subject, regex, tokens, after, ranges, topic, above, all, file, saves, label, author, k, timeLimit, Shared.format],
        examples: [
            ("monoseme label rule A/1/2357 --regex '[A-Za-z0-9+/]{40,}'", "Is it about base64?"), ("monoseme label rule A/1/12 --tokens ' the' --topic Legal --label \"' the' in law\"", "Add a label with its rule and score"),
            ("monoseme label rule A/1/12 --save", "Score the rule that the current label carries, and keep the score"), ("monoseme label rule A/1 --all --save", "The same of every label that carries one"),
            ("monoseme label rule --from rules.jsonl --save", "Label many features by rule"),
        ])

    static func run(_ invocation: Invocation) throws {
        let limit = Float(invocation[above])
        guard limit.isFinite else { throw UsageError("--above \(invocation[above]) is no activation") }
        let rule = try givenRule(invocation)
        if let path = invocation[file] {
            try refuse(invocation, "--from", [(subject.name, invocation[subject] != nil), ("a rule", rule != nil), ("--all", invocation[all]), ("--label", invocation[label] != nil)])
            return try RuleList(fromLinesOf: path, invocation).answer()
        }
        if invocation[all] {
            try refuse(invocation, "--all", [("a rule", rule != nil), ("--label", invocation[label] != nil)])
            guard let text = invocation[subject], let name = DictionaryName(text) else { throw UsageError("--all needs a dictionary", hint: "monoseme label rule A/1 --all") }
            return try RuleList(ofLabelsIn: name, invocation).answer()
        }
        guard let text = invocation[subject] else { throw UsageError("nothing to score", hint: "name a feature, a dictionary with --all, or a file with --from") }
        guard let name = FeatureName(text) else {
            throw UsageError("\(quoted(text)) is no feature", hint: DictionaryName(text) == nil ? "a feature is written like A/1/2357" : "name one, such as \(text)/0, or add --all for all labels that carry a rule")
        }
        try RulePage(name, rule, invocation).answer()
    }

    private static func refuse(_ invocation: Invocation, _ mode: String, _ others: [(name: String, isGiven: Bool)]) throws {
        if let other = others.first(where: \.isGiven) { throw UsageError("\(other.name) does not go with \(mode)", hint: "monoseme label rule --help says what goes together") }
    }

    /// All that the options demand.
    private static func givenRule(_ invocation: Invocation) throws -> LabelRule? {
        var parts: [LabelRule] = []
        func demand(_ option: String, _ text: String) throws {
            guard !text.isEmpty, !text.utf8.contains(0) else { throw UsageError("\(option) is \(text.isEmpty ? "empty" : "no text: it holds a NUL")") }
        }
        func spellings(_ option: String, _ text: String) throws -> [TokenSpelling] {
            guard let found = LabelRule.spellings(text) else {
                throw UsageError("\(option): \(quoted(text)) is no list of tokens", hint: "commas between them, none of them empty; a comma or backslash within a token takes a backslash before it")
            }
            return found
        }
        if let pattern = invocation[regex] { try demand("--regex", pattern); parts.append(.regex(pattern)) }
        if let text = invocation[tokens] { parts.append(.tokens(try spellings("--tokens", text))) }
        if let text = invocation[after] { parts.append(.after(try spellings("--after", text))) }
        if !invocation[ranges].isEmpty { for range in invocation[ranges] { try demand("--range", range) }; parts.append(.range(invocation[ranges])) }
        if let name = invocation[topic] { try demand("--topic", name); parts.append(.topic(name)) }
        return LabelRule.all(of: parts)
    }
}

/// One feature against one rule.
private struct RulePage {
    private let name: FeatureName
    private let invocation: Invocation
    private let catalogue: Catalogue
    private let rule: LabelRule
    private let labelID: Int?
    private let scorer: RuleScorer
    private let score: RuleScore
    private let disagreements: RuleDisagreements
    private let above: Float
    private static let window = 10

    init(_ name: FeatureName, _ given: LabelRule?, _ invocation: Invocation) throws {
        (self.name, self.invocation) = (name, invocation)
        let saves = invocation[LabelRuleCommand.saves] || invocation[LabelRuleCommand.label] != nil
        catalogue = saves ? try Catalogue(path: invocation[Shared.catalogue], for: .writing) : try invocation.openCatalogue()
        let index = try catalogue.feature(name).index, current = try catalogue.labels(of: name).first(where: \.isCurrent)
        if let given { rule = given } else {
            guard let carried = current?.rule else {
                throw MonosemeError(current.map { "the label of \(name), \(quoted($0.text, limit: 200)), carries no rule" } ?? "\(name) has no label that could carry a rule",
                                    hint: "give a rule with --regex, --tokens, --after, --range or --topic, or end the label in one, such as [tokens: the]")
            }
            rule = carried
        }
        labelID = current?.rule == rule ? current?.id : nil
        if saves, invocation[LabelRuleCommand.label] == nil, labelID == nil {
            throw MonosemeError("there is no label to keep the score with: that of \(name)\(current.map { ", \(quoted($0.text, limit: 200))," } ?? "") does not carry this rule", hint: "add one with the rule by --label TEXT")
        }
        above = Float(invocation[LabelRuleCommand.above])
        scorer = try RuleScorer(catalogue, try catalogue.run(of: name.dictionary), timeLimit: invocation[LabelRuleCommand.timeLimit])
        let progress = invocation.progress("rule", total: scorer.evaluator.text.corpus.documents, unit: "documents")
        let marks = try scorer.marks(of: rule) { progress.update($0.documents, total: $0.documentsExpected, details: ["\(NumberFormat.short.text(Double($0.tokens))) tokens"]) }
        progress.finish()
        let firings = try scorer.firings(of: index)
        score = RuleScore(firings, against: marks, scorer.documents, tokens: scorer.run.tokens, above: above)
        disagreements = RuleDisagreements(firings, against: marks, above: above, limit: invocation[LabelRuleCommand.k])
    }

    func answer() throws {
        try save()
        switch invocation[Shared.format] {
        case .table: try printForPeople()
        case .json:
            var writer = JSONWriter(indentation: 2)
            try write(to: &writer)
            writer.endLine()
            try invocation.output.write(writer.drain())
        case .jsonl, .csv: try invocation.print(Table(ruleColumns, rows: [ruleRow(name, rule, score, label: nil, state: nil)]))
        }
    }

    private func save() throws {
        let text = invocation[LabelRuleCommand.label]
        guard invocation[LabelRuleCommand.saves] || text != nil else { return }
        let author = invocation[LabelRuleCommand.author]
        let entry = text.map { LabelEntry($0, for: name, author: author, method: "rule", rule: rule) }
        let outcome = try catalogue.enter([RuledLabel(entry, score.entry(label: labelID ?? 0, name, rule, above: above))], author: author, at: now())[0]
        if outcome.isNewLabel { invocation.note("\(name) is now \(quoted(text!, limit: 200))") }
        invocation.note(outcome.isNewScore ? "the score is kept with label \(outcome.label)" : "label \(outcome.label) has this score already, from the same evidence: nothing was added")
    }

    // MARK: For people

    private func count(_ n: Int) -> String { NumberFormat.grouped.text(Int64(n)) }
    private func tokens(_ n: Int) -> String { "\(count(n)) \(n == 1 ? "token" : "tokens")" }

    private func printForPeople() throws {
        let s = score, fires = above > 0 ? "fires above \(NumberFormat.significant(4).text(Double(above)))" : "fires"
        try invocation.print(invocation.style.bold("\(name)") + " against " + invocation.style.bold(visible(rule.description)))
        var facts = Facts()
        facts.append("precision", .text(estimate(s.precision, "it \(fires) on \(count(s.both)) of the \(tokens(s.held)) where the rule holds", "the rule holds nowhere")))
        facts.append("recall", .text(estimate(s.recall, "the rule holds on \(count(s.both)) of the \(tokens(s.firings)) on which it \(fires)", "it never \(fires)")))
        facts.append("F1", .text(s.f1.map { f in
            let three = NumberFormat.fixed(3)
            return "\(three.text(f.value))  \(three.text(f.interval.lowerBound)) to \(three.text(f.interval.upperBound))"
        } ?? "–"))
        facts.append("mass recall", .text(s.massRecall.map { "\(NumberFormat.percent.text($0))  of the summed activation is where the rule holds" } ?? "–"))
        facts.append("neither", .text("\(count(s.trueNegatives)) of \(count(s.tokens)) tokens"))
        facts.append("evidence", .text("\(count(s.documents)) \(s.documents == 1 ? "document" : "documents") with one or the other; 95 % intervals by documents"))
        try invocation.print(facts: facts)
        let rows = try self.rows()
        func show(_ title: String, _ kind: String, _ columns: [Int]) throws {
            let some = rows.filter { $0[0] == .text(kind) }
            guard !some.isEmpty else { return }
            try invocation.print("\n" + invocation.style.bold(title))
            try Table(columns.map { RulePage.columns[$0] }, rows: some.map { row in columns.map { row[$0] } }).write(to: invocation.output, format: .table, terminal: invocation.terminal)
        }
        try show("Misses, where it \(fires) and the rule does not hold: \(tokens(s.falseNegatives)), the strongest", "miss", [1, 2, 6])
        try show("False alarms, where the rule holds and it \(above > 0 ? "does not" : "is silent"): \(tokens(s.falsePositives)), evenly spread", "false-alarm", [2, 6])
    }

    private func estimate(_ estimate: RatioEstimate?, _ words: String, _ otherwise: String) -> String {
        guard let estimate else { return "–  (\(otherwise))" }
        let percent = NumberFormat.percent
        return "\(percent.text(estimate.value))  \(percent.text(estimate.interval.lowerBound)) to \(percent.text(estimate.interval.upperBound))  (\(words))"
    }

    private static let columns = [Column("kind"), Column("activation"), Column("topic"), Column("position"), Column("document"), Column("position_in_document"), Column("text", isFlexible: true)]

    private func rows() throws -> [[Cell]] {
        let text = scorer.evaluator.text, topics = try Dictionary(catalogue.topics(of: scorer.run.corpus).map { ($0.id, $0.name) }) { first, _ in first }
        func row(_ kind: String, _ position: Int, _ activation: Float?) throws -> [Cell] {
            let (document, bounds) = try text.place(of: position), parts = try text.window(around: position, RulePage.window).parts
            let topic: String? = topics[text.documents.topics[document]]
            return [.text(kind), Cell(activation, .significant(3)), Cell(topic), .integer(position, .plain), .integer(document, .plain), .integer(position - bounds.lowerBound, .plain),
                    .excerpt(Excerpt(before: parts.before, focus: parts.focus, after: parts.after))]
        }
        return try disagreements.misses.map { try row("miss", $0.position, $0.activation) } + disagreements.falseAlarms.map { try row("false-alarm", $0, nil) }
    }

    // MARK: For programs

    private func write(to writer: inout JSONWriter) throws {
        let rows = try self.rows()
        writer.object { writer in
            writer.member("feature", name.description)
            writer.member("rule", rule.description)
            writer.member("above", above)
            for (column, cell) in zip(ruleColumns.dropFirst(2), ruleRow(name, rule, score, label: nil, state: nil).dropFirst(2)) where column.key != "label" && column.key != "state" { writeCell(cell, column.key, &writer) }
            for (key, kind) in [("misses", "miss"), ("false_alarms", "false-alarm")] {
                writer.key(key)
                writer.array { writer in
                    for row in rows where row[0] == .text(kind) {
                        writer.object { writer in for (column, cell) in zip(RulePage.columns, row).dropFirst() where kind == "miss" || column.key != "activation" { writeCell(cell, column.key, &writer) } }
                    }
                }
            }
        }
    }
}

private func writeCell(_ cell: Cell, _ key: String, _ writer: inout JSONWriter) {
    switch cell {
    case .integer(let n, _): writer.member(key, n)
    case .real(let r, _): writer.member(key, r)
    case .text(let text): writer.member(key, text)
    case .excerpt(let excerpt): writer.member(key, "\(excerpt.before)«\(excerpt.focus)»\(excerpt.after)")
    default: writer.member(key, nil as String?)
    }
}

/// Of a score, in lists and for programs.
private let ruleColumns = [
    Column("feature"), Column("rule", isFlexible: true), Column("label", isFlexible: true), Column("precision"), Column("precision_low", audience: .programs), Column("precision_high", audience: .programs),
    Column("recall"), Column("recall_low", audience: .programs), Column("recall_high", audience: .programs), Column("F1", key: "f1"), Column("low", key: "f1_low"), Column("high", key: "f1_high"),
    Column("mass_recall", audience: .programs), Column("true_positives", audience: .programs), Column("false_positives", audience: .programs), Column("false_negatives", audience: .programs),
    Column("true_negatives", audience: .programs), Column("firings"), Column("documents", audience: .programs), Column("state"),
]

private func ruleRow(_ name: FeatureName, _ rule: LabelRule, _ score: RuleScore, label: String?, state: String?) -> [Cell] {
    let (p, r, f) = (score.precision, score.recall, score.f1)
    return [.text(name.description), .text(rule.description), Cell(label), Cell(p?.value, .percent), Cell(p?.interval.lowerBound), Cell(p?.interval.upperBound), Cell(r?.value, .percent), Cell(r?.interval.lowerBound),
            Cell(r?.interval.upperBound), Cell(f?.value, .fixed(3)), Cell(f?.interval.lowerBound, .fixed(3)), Cell(f?.interval.upperBound, .fixed(3)), Cell(score.massRecall), .integer(score.truePositives),
            .integer(score.falsePositives), .integer(score.falseNegatives), .integer(score.trueNegatives), .integer(score.firings), .integer(score.documents), Cell(state)]
}

/// Many features, each against a rule; rules that several share are evaluated once, and all patterns in one go over the text.
private struct RuleList {
    private struct Item {
        let feature: FeatureName
        let rule: LabelRule
        /// To be added.
        let text: String?
        /// The current label, where it carries the rule.
        let current: Label?
    }

    private let invocation: Invocation
    private let catalogue: Catalogue
    private var items: [Item] = []

    /// Longest list of rules, in bytes.
    private static let listLimit = 256 << 20

    private init(_ invocation: Invocation) throws {
        self.invocation = invocation
        catalogue = invocation[LabelRuleCommand.saves] ? try Catalogue(path: invocation[Shared.catalogue], for: .writing) : try invocation.openCatalogue()
    }

    init(ofLabelsIn name: DictionaryName, _ invocation: Invocation) throws {
        try self.init(invocation)
        let dictionary = try catalogue.dictionary(named: name)
        let rows = try catalogue.connection.rows("SELECT label_id FROM feature_label WHERE feature_id >= ? AND feature_id < ? ORDER BY feature_id",
                                                 .init(dictionary.featureID(0)), .init(dictionary.featureID(dictionary.features))) { $0.integer(0) }
        for id in rows {
            let label = try catalogue.label(id)
            if let rule = label.rule { items.append(Item(feature: label.feature, rule: rule, text: nil, current: label)) }
        }
        if items.isEmpty { throw MonosemeError("no label of \(name) carries a rule", hint: "end a label in one, such as [tokens: the], or add it with monoseme label rule FEATURE --tokens ' the' --label TEXT") }
    }

    init(fromLinesOf path: String, _ invocation: Invocation) throws {
        try self.init(invocation)
        let bytes = path == "-" ? try readStandardInput(limit: RuleList.listLimit) : try readFile(path, limit: RuleList.listLimit)
        var seen: [FeatureName: Int] = [:]
        for (place, line) in bytes.split(separator: 0x0a, omittingEmptySubsequences: false).enumerated() where !line.allSatisfy({ $0 == 0x20 || $0 == 0x0d || $0 == 0x09 }) {
            let number = place + 1
            func problem(_ what: String, _ hint: String? = nil) -> MonosemeError {
                MonosemeError("line \(number): \(what)", hint: hint ?? "a line is an object such as {\"feature\": \"A/1/12\", \"rule\": \"tokens: the\", \"label\": \"the article\"}; nothing was done")
            }
            let json: JSON
            do { json = try line.withUnsafeBytes { try JSON(parsing: $0, duplicateKeys: .refused, maximumDepth: 8) } } catch { throw problem("not JSON: \(error)") }
            guard let object = json.object else { throw problem("\(json.kind), not an object") }
            if let unknown = object.members.first(where: { !["feature", "rule", "label"].contains($0.key) })?.key { throw problem("the member \(quoted(unknown)) is none of feature, rule and label") }
            guard let text = object["feature"]?.string, let name = FeatureName(text) else { throw problem("\"feature\" names no feature") }
            guard let written = object["rule"]?.string else { throw problem("\"rule\" is missing or no text") }
            guard let rule = LabelRule(written) else { throw problem("\(quoted(written, limit: 200)) is no rule", "a rule is written regex:PATTERN, tokens:A,B, after:A,B, range:BLOCK or topic:NAME; nothing was done") }
            let label = object["label"]
            guard label == nil || label!.isNull || label!.string != nil else { throw problem("\"label\" is no text") }
            if let first = seen.updateValue(number, forKey: name) { throw problem("\(name) is there already, in line \(first)") }
            do {
                _ = try catalogue.feature(name)
                let current = try catalogue.labels(of: name).first(where: \.isCurrent)
                items.append(Item(feature: name, rule: rule, text: label?.string, current: current?.rule == rule ? current : nil))
            } catch let error as MonosemeError { throw problem(error.message, error.hint) }
            if invocation[LabelRuleCommand.saves], label?.string == nil, items.last!.current == nil {
                throw problem("there is no label to keep the score with: that of \(name) does not carry this rule", "add a label by the member \"label\"; nothing was done")
            }
        }
        if items.isEmpty { throw MonosemeError("\(path == "-" ? "standard input" : quoted(path, limit: 400)) holds no rules") }
    }

    func answer() throws {
        let above = Float(invocation[LabelRuleCommand.above]), saves = invocation[LabelRuleCommand.saves], author = invocation[LabelRuleCommand.author]
        var scores: [Int: RuleScore] = [:]
        for dictionary in Set(items.map(\.feature.dictionary)).sorted(by: { $0.description < $1.description }) {
            let places = items.indices.filter { items[$0].feature.dictionary == dictionary }
            let scorer = try RuleScorer(catalogue, try catalogue.run(of: dictionary), timeLimit: invocation[LabelRuleCommand.timeLimit])
            for item in places.map({ items[$0] }) {
                do { try RuleEvaluator.validate(item.rule) } catch let error as MonosemeError {
                    throw MonosemeError("\(item.feature): \(error.message)", hint: item.current.map { "monoseme label reject \($0.id) takes the label out, monoseme label rule \(item.feature) --label TEXT gives it another rule" } ?? error.hint)
                }
            }
            let reading = invocation.progress("rules", total: scorer.documents.count, unit: "documents")
            try scorer.evaluator.prepare(places.map { items[$0].rule }) { reading.update($0.documents, total: $0.documentsExpected) }
            reading.finish()
            let progress = invocation.progress("\(dictionary)", total: places.count, unit: "features")
            // Rules that are shared follow one another.
            let order = places.map { (rule: items[$0].rule.description, place: $0) }.sorted { ($0.rule, $0.place) < ($1.rule, $1.place) }
            for (done, item) in order.enumerated() {
                do { scores[item.place] = try scorer.score(items[item.place].feature.index, against: items[item.place].rule, above: above) } catch let error as MonosemeError {
                    throw MonosemeError("\(items[item.place].feature): \(error.message)", hint: error.hint)
                }
                progress.update(done + 1)
            }
            progress.finish()
        }
        var states: [String?] = items.map { _ in nil }
        if saves {
            let entries = items.indices.map { place in
                let item = items[place]
                let entry = item.text.map { LabelEntry($0, for: item.feature, author: author, method: "rule", rule: item.rule) }
                return RuledLabel(entry, scores[place]!.entry(label: item.current?.id ?? 0, item.feature, item.rule, above: above))
            }
            let outcomes = try catalogue.enter(entries, author: author, at: now())
            states = outcomes.map { $0.isNewLabel ? "label and score added" : $0.isNewScore ? "score added" : "there already" }
            let labels = outcomes.count(where: \.isNewLabel), added = outcomes.count(where: \.isNewScore)
            invocation.note("\(labels) labels and \(added) scores were added; \(outcomes.count - added) scores were there already, from the same evidence")
        }
        try invocation.print(Table(ruleColumns, rows: items.indices.map { ruleRow(items[$0].feature, items[$0].rule, scores[$0]!, label: items[$0].text ?? items[$0].current?.text, state: states[$0]) }))
    }
}

/// All of a file.
private func readFile(_ path: String, limit: Int) throws -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw MonosemeError("cannot read \(quoted(path, limit: 400)): \(String(cString: strerror(errno)))") }
    defer { close(file) }
    var all: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
        let count = read(file, &buffer, buffer.count)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw MonosemeError("reading \(quoted(path, limit: 400)) failed: \(String(cString: strerror(errno)))") }
        if count == 0 { return all }
        all.append(contentsOf: buffer[..<count])
        guard all.count <= limit else { throw MonosemeError("\(quoted(path, limit: 400)) is longer than \(limit) bytes") }
    }
}
