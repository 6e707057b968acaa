import Diagnostics
import FeatureCatalogue

/// `monoseme topics`: what a feature is about, and what fires on a topic; one mode a file.
enum Topics: Command {
    static let feature = Argument<FeatureName?>("FEATURE", help: "The feature whose topics to show, such as A/1/2357")
    static let topic = Option<String?>("--topic", value: "NAME", help: "List the features that fire on this topic or tag instead; with FEATURE: how well it marks it, or with --counterexamples where it fires outside")
    static let within = Option<DictionaryName?>("--in", value: "DICT", help: "The dictionary of those features")
    static let matrix = Option<DictionaryName?>("--matrix", value: "DICT", help: "Set all features of a dictionary against all topics")
    static let counterexamples = Flag("--counterexamples", help: "Show the feature's strongest firings outside its main topic")
    static let disagreements = Flag("--disagreements", help: "With FEATURE and --topic: where one is without the other, and who fires instead")
    static let compare = Option<[String]>("--compare", value: "NAME NAME", intake: .several, help: "List the features that tell two topics apart, or two files of the corpus")
    static let families = Option<FamilyChoice>("--families", value: "auto|yes|no", default: .auto, help: "With --compare: count features that came of the same feature of a smaller version together; auto: where a lineage is built")
    static let k = Option<Int>("-k", value: "N", default: 20, in: 1..., help: "At most N rows; with --compare N for each side, with --matrix N features for each topic drawn, there 2 if not given")
    static let order = Option<SubjectRanking?>("--by", value: "ORDER", help: "The order, or a matrix's values (default: z; with --topic f1)")
    static let documents = Option<Int>("--min-documents", value: "N", default: 3, in: 1..., help: "With --topic and --compare: leave out what fires in fewer of the documents")
    static let all = Flag("--all", help: "With --topic, --matrix and --compare: also what is not significant")

    static let declaration = Declaration(
        "topics", summary: "show the topics of a feature, or the features of a topic",
        discussion: """
            Topics come from the corpus. The unit of evidence is the document: z is the difference of the rates on the topic's documents and on all others \
            in standard errors between documents, q the false discovery rate over all pairs of a feature and a topic. ● marks q ≤ 0.05: the feature fires more often on the topic, or with --topic only such features are listed.

            rate: firings a token of the topic. lift: the rate against the feature's rate on all tokens. share: of the feature's firings, those on the \
            topic; mass: the same of its summed activation. F1, precision and recall: of "the document holds a firing of at least the threshold" as a \
            detector of the topic's documents, the threshold chosen on half of the documents and measured on the other, as is AUROC. log-odds: for sorting only.

            A tag (see `monoseme topics tag`) marks tokens, not documents. specificity: of the feature's firings, those on it. sensitivity: of its tokens, those on \
            which the feature fires. F1: of both. correlation: Pearson's, of activation and tag.

            A matrix is drawn as a heat map for people; as --csv it has a row for each feature and a column for each topic, as --json an object for each \
            feature with the topics it fires on.

            Without FEATURE and options: the topics of the corpus of the dictionary given with --in.
            """,
        parameters: [feature, topic, within, matrix, counterexamples, disagreements, compare, families, k, order, documents, all, Shared.format],
        examples: [
            ("monoseme topics A/1/2357", "What a feature is about"), ("monoseme topics --topic Base64 --in A/1 --by lift", "The features that mark a topic"),
            ("monoseme topics --matrix A/1", "Features × topics, drawn"), ("monoseme topics --matrix A/1 --by lift --csv", "The same for a program, complete"),
            ("monoseme topics A/1/2357 --counterexamples", "Where it fires outside its topic"),
            ("monoseme topics A/1/2357 --topic Base64 --disagreements", "One feature against a topic or tag"),
            ("monoseme topics --compare English French --in A/1", "What tells two topics apart"), ("monoseme topics --in A/1", "The topics there are"),
        ])

    static func run(_ invocation: Invocation) throws {
        let mode = try Mode(invocation)
        let catalogue = try invocation.openCatalogue()
        try catalogue.connection.snapshot {
            if mode.mayBeAboutTag, try TopicsTagged.answer(invocation, catalogue) { return }
            switch mode {
            case .subject: preconditionFailure("answered above")
            case .portrait(let name): try TopicPortrait.print(name, catalogue, invocation)
            case .counterexamples(let name): try TopicCounterexamples.print(name, catalogue, invocation)
            case .features(let topic, let name): try TopicFeatures.print(topic, try weighedRun(of: name, catalogue), catalogue, invocation)
            case .matrix(let name): try TopicMatrix.print(try weighedRun(of: name, catalogue), catalogue, invocation)
            case .comparison(let first, let second, let name): try TopicContrast.print(first, second, try catalogue.run(of: name), catalogue, invocation)
            case .list(let name): try list(try catalogue.run(of: name), catalogue, invocation)
            }
        }
    }

    /// The run, made sure that its features were set against topics: those of examples that others chose were not, and would seem to fire on none.
    private static func weighedRun(of name: DictionaryName, _ catalogue: Catalogue) throws -> Run {
        let run = try catalogue.run(of: name)
        if run.evidence == .examples, run.topicTests ?? 0 == 0 { try catalogue.demandEveryFiring(of: run, for: "what topics its features fire on cannot be told") }
        return run
    }

    private static func list(_ run: Run, _ catalogue: Catalogue, _ invocation: Invocation) throws {
        try invocation.print(Table([Column("topic", isFlexible: true), Column("documents"), Column("tokens")], rows: try catalogue.topics(of: run.corpus).prefix(invocation.isGiven(k) ? invocation[k] : .max).map {
            [.text($0.name), .integer($0.documents), .integer($0.tokens)]
        }))
    }
}

/// What was asked, and the options that go with it.
private enum Mode {
    case portrait(FeatureName), counterexamples(FeatureName), subject(FeatureName), features(String, DictionaryName), matrix(DictionaryName), comparison(String, String, DictionaryName), list(DictionaryName)

    init(_ invocation: Invocation) throws {
        let feature = invocation[Topics.feature], within = invocation[Topics.within], topic = invocation[Topics.topic], compared = invocation[Topics.compare]
        if let feature, let within, within != feature.dictionary { throw UsageError("\(feature) is not in \(within)", hint: "leave out --in") }
        func demandDictionary(_ subject: String) throws -> DictionaryName {
            guard let within else { throw UsageError("\(subject) needs a dictionary", hint: "name it with --in") }
            return within
        }
        if invocation[Topics.counterexamples] {
            guard let feature else { throw UsageError("--counterexamples needs a feature", hint: "monoseme topics A/1/2357 --counterexamples") }
            self = .counterexamples(feature)
        } else if let name = invocation[Topics.matrix] {
            self = .matrix(name)
        } else if !compared.isEmpty {
            guard compared.count == 2 else { throw UsageError("--compare takes two names, and \(compared.count) \(compared.count == 1 ? "was" : "were") given", hint: "monoseme topics --compare English French --in A/1") }
            self = .comparison(compared[0], compared[1], try demandDictionary("a comparison"))
        } else if let topic {
            if let feature { self = .subject(feature) } else { self = .features(topic, try demandDictionary("a topic")) }
        } else if let feature {
            self = .portrait(feature)
        } else {
            if invocation[Topics.disagreements] { throw UsageError("--disagreements of what?", hint: "monoseme topics A/1/2357 --topic NAME --disagreements") }
            guard let within else { throw UsageError("nothing to list", hint: "name a feature, or a topic with --topic, or a dictionary with --in") }
            self = .list(within)
        }
        try refuseWhatSaysNothing(invocation)
    }

    /// Tags share --topic with topics; what is wrong about --disagreements is said there, too.
    var mayBeAboutTag: Bool {
        switch self {
        case .subject, .features, .portrait, .list: true
        case .counterexamples, .matrix, .comparison: false
        }
    }

    /// An option that would change nothing was meant for something else.
    private func refuseWhatSaysNothing(_ invocation: Invocation) throws {
        let (subject, taken): (String, Set<String>) = switch self {
        case .portrait: ("a feature's topics", ["FEATURE", "--in", "-k", "--by", "--disagreements"])
        case .counterexamples: ("--counterexamples", ["FEATURE", "--in", "--counterexamples", "--topic", "-k"])
        case .subject: ("a feature and a topic", ["FEATURE", "--in", "--topic", "--disagreements", "-k"])
        case .features: ("--topic", ["--topic", "--disagreements", "--in", "-k", "--by", "--min-documents", "--all"])
        case .matrix: ("--matrix", ["--matrix", "-k", "--by", "--all"])
        case .comparison: ("--compare", ["--compare", "--in", "--families", "-k", "--by", "--min-documents", "--all"])
        case .list: ("a list of topics", ["--in", "-k", "--disagreements"])
        }
        let given = [
            (Topics.feature.name, invocation.isGiven(Topics.feature)), (Topics.topic.name, invocation.isGiven(Topics.topic)), (Topics.within.name, invocation.isGiven(Topics.within)),
            (Topics.matrix.name, invocation.isGiven(Topics.matrix)), (Topics.counterexamples.name, invocation.isGiven(Topics.counterexamples)),
            (Topics.disagreements.name, invocation.isGiven(Topics.disagreements)), (Topics.compare.name, invocation.isGiven(Topics.compare)), (Topics.families.name, invocation.isGiven(Topics.families)), (Topics.k.name, invocation.isGiven(Topics.k)),
            (Topics.order.name, invocation.isGiven(Topics.order)), (Topics.documents.name, invocation.isGiven(Topics.documents)), (Topics.all.name, invocation.isGiven(Topics.all)),
        ]
        if case .features = self {} else if let order = invocation[Topics.order], order.topic == nil {
            throw UsageError("--by \(order.argument) ranks the features of a tag", hint: "--by \(TopicOrder.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        if let other = given.first(where: { $0.1 && !taken.contains($0.0) })?.0 {
            throw UsageError("\(other) does not go with \(subject)", hint: "monoseme topics --help says what goes together")
        }
    }
}

/// Whether features are compared one by one or over their families.
enum FamilyChoice: String, CaseIterable, ArgumentValue { case auto, yes, no }
