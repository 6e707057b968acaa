import Diagnostics
import FeatureCatalogue
import Formats
import Glibc
import Ingestion
import Publishing
import Training

/// `monoseme demo`: the main job on the fixtures, then a tour of answers.
enum Demo: Command {
    static let fixtures = Option<String>("--fixtures", value: "DIR", default: "Fixtures", help: "Where the demonstration's model, autoencoders and corpus are")
    static let trains = Flag("--train", help: "Train a dictionary of 512 features on the corpus, T/0, and catalogue that one (its folder: sae-demo)")
    static let threads = Option<Int?>("--threads", value: "N", in: 1...256, help: "Threads (default: one a processor)")

    static let declaration = Declaration(
        "demo", summary: "catalogue the demonstration dictionaries and take a tour",
        discussion: """
            Runs a one-layer transformer and two dictionaries of its 512 neurons, A/0 with 512 features and A/1 with 4,096, over a small corpus in twenty \
            topics, finds what each feature of the small one split into, and then asks the catalogue what is in it. Run it again and only the tour is left to do.

            With --train the dictionary is not ready-made: 512 features are trained here, in less than a minute.
            """,
        parameters: [fixtures, trains, threads], examples: [("monoseme demo", "In a clone of the repository"), ("monoseme demo --train", "With a dictionary of its own")])

    static func run(_ invocation: Invocation) throws {
        let folder = invocation[fixtures], path = invocation[Shared.catalogue]
        guard kind(of: folder + "/model-A") == .folder else {
            throw MonosemeError("there are no fixtures at \(quoted(folder, limit: 400))", hint: "run this in a clone of the repository, or say where they are with --fixtures DIR")
        }
        let threads = invocation[threads] ?? Ingest.processors
        var autoencoders = [(folder: folder + "/sae-A-0", name: "A/0"), (folder: folder + "/sae-A-1", name: "A/1")]
        if invocation[trains] {
            autoencoders = [(trainedFolder, "T/0")]
            try Train.trainReporting(training(on: folder, threads: threads), invocation)
        }
        var request = IngestionRequest(modelFolder: folder + "/model-A", autoencoders: try autoencoders.map { ($0.folder, try DictionaryName(parsing: $0.name)) },
                                       corpus: CorpusOptions(paths: [folder + "/corpus.jsonl"]), catalogue: path)
        request.threads = threads
        try ingestReporting(request, invocation)
        if request.autoencoders.count > 1 { try LineageBuild.build(request.autoencoders.map(\.name), threads: threads, invocation) }
        try invocation.output.flush()
        try tour(Catalogue(path: path, for: .reading), request.autoencoders.map(\.name), invocation)
    }

    static let trainedFolder = "sae-demo"

    /// Four passes over the corpus by the paper's recipe: a minute's work at most, for a dictionary that is worth a look.
    private static func training(on fixtures: String, threads: Int) -> TrainingRequest {
        let corpus = CorpusOptions(paths: [fixtures + "/corpus.jsonl"])
        var request = TrainingRequest(source: .corpus(corpus), modelFolder: fixtures + "/model-A", hook: "blocks.0.mlp.hook_post", features: [512], output: trainedFolder)
        request.samples = 1_638_400
        request.batchSize = 2048
        request.constants = ["l1": "0.001"]
        request.threads = threads
        return request
    }

    private static func tour(_ catalogue: Catalogue, _ names: [DictionaryName], _ invocation: Invocation) throws {
        let large = try catalogue.run(of: names.last!)
        try step("What is there?", "monoseme dictionaries", invocation)
        try Dictionaries.run(invocation.asking([]))

        // The topic that some feature detects best, base64 before others where it is detected well.
        let topics = try catalogue.topics(of: large.corpus)
        var best: [(topic: Topic, rate: TopicRate)] = []
        for topic in topics {
            if let rate = try catalogue.topicRates(of: topic, in: large, by: .f1, documentsMinimum: min(3, max(1, topic.documents))).first { best.append((topic, rate)) }
        }
        best.sort { ($0.rate.detector?.f1 ?? 0, $1.topic.name) > ($1.rate.detector?.f1 ?? 0, $0.topic.name) }
        guard let strongest = best.first(where: { $0.topic.name.lowercased().contains("base64") && ($0.rate.detector?.f1 ?? 0) > 0.5 }) ?? best.first else { return }

        try step("Which features mark \(strongest.topic.name)?", "monoseme topics --topic \(strongest.topic.name) --in \(names.last!) -k 5", invocation)
        try Topics.run(invocation.asking(["--topic", strongest.topic.name, "--in", names.last!.description, "-k", "5"], Topics.declaration))

        let feature = strongest.rate.feature
        try step("What is \(feature)?", "monoseme show \(feature) --examples 5 --samples 0", invocation)
        try Show.run(invocation.asking([feature.description, "--examples", "5", "--samples", "0"], Show.declaration))

        // Its family: what it came from, and what that split into.
        if names.count > 1 {
            let parents = try catalogue.parents(of: feature)
            if let parent = parents.first(where: { $0.tier > .candidate })?.parent {
                try step("What did it come from, and what else did that split into?", "monoseme lineage \(parent) -k 6", invocation)
                try LineageTree.run(invocation.asking([parent.description, "-k", "6"], LineageTree.declaration))
            }
        }

        let query = """
            SELECT topic, feature, round(f1, 2) AS f1, round(lift, 1) AS lift FROM (SELECT *, row_number() OVER (PARTITION BY topic ORDER BY f1 DESC, lift DESC) AS place \
            FROM topic_rate WHERE dictionary = '\(names.last!)') WHERE place = 1 ORDER BY topic
            """
        try step("Which feature tells each topic best?", "monoseme sql \"\(query)\"", invocation)
        try SQL.run(invocation.asking([query], SQL.declaration))
        try invocation.print("\nYour turn: monoseme --help lists the commands; the catalogue is \(quoted(invocation[Shared.catalogue], limit: 400)).")
    }

    private static func step(_ question: String, _ command: String, _ invocation: Invocation) throws {
        try invocation.print("\n" + invocation.style.bold(question) + "\n" + invocation.style.dim("$ " + command))
    }
}

extension Invocation {
    /// The same invocation with the words of another command line: what a tour runs is what it shows.
    func asking(_ words: [String], _ declaration: Declaration = Dictionaries.declaration) throws -> Invocation {
        let values = try parse(["--catalogue", self[Shared.catalogue]] + words, parameters: declaration.parameters + Shared.global, environment: environment)
        return Invocation(values: values, output: output, errors: errors, terminal: terminal, errorTerminal: errorTerminal, environment: environment)
    }
}
