import Analyses
import Diagnostics
import FeatureCatalogue
import Ingestion

/// `monoseme topics tag`: `Catalogue.tag`, and the tags there are.
enum TopicsTag: Command {
    static let regex = Option<String?>("--regex", value: "REGEX", help: "Tag every token that has a byte in a match of this regular expression")
    static let ranges = Option<[String]>("--range", value: "BLOCK", help: "Tag every token that has a byte of a character of this block of Unicode, such as Arabic, or range, such as U+0600-U+06FF")
    static let name = Option<String?>("--as", value: "NAME", help: "The tag's name")
    static let within = Option<DictionaryName?>("--in", value: "DICT", help: "A dictionary on the corpus that is meant, where the catalogue holds several corpora")
    static let replaces = Flag("--replace", help: "Put the tag in the place of one with the same name and another definition")
    static let timeLimit = Option<Double>("--time-limit", value: "SECONDS", default: 10, in: 0.001...86_400, help: "Give up a regular expression that takes longer over one document")
    static let lists = Flag("--list", help: "List the tags of the corpus")
    static let removed = Option<String?>("--remove", value: "NAME", help: "Remove a tag")

    static let declaration = Declaration(
        "topics tag", summary: "tag tokens by a regular expression or a script",
        discussion: """
            A tag is a topic of tokens rather than of documents: `topics --topic NAME` then says how well each feature marks it. It is asked of the text of \
            whole documents: a character or a match that is spread over several tokens counts for each of them.

            The regular expressions are Swift's: (?i) for any case of letters, \\b, \\p{Greek} and the like; a match is made of Unicode scalars, and what is not \
            UTF-8 is U+FFFD. A pattern that takes too long over a document ends the command, and nothing is kept.
            """,
        parameters: [regex, ranges, name, within, replaces, timeLimit, lists, removed, Shared.format],
        examples: [
            ("monoseme topics tag --regex '[A-Za-z0-9+/]{40,}={0,2}' --as base64-run", "By a pattern"), ("monoseme topics tag --range Arabic --range 'Arabic Supplement' --as arabic-script", "By script"),
            ("monoseme topics tag --list", "The tags there are"), ("monoseme topics tag --remove base64-run", "Remove one"),
        ])

    static func run(_ invocation: Invocation) throws {
        let modes = [("--regex", invocation[regex] != nil), ("--range", !invocation[ranges].isEmpty), ("--list", invocation[lists]), ("--remove", invocation[removed] != nil)].filter(\.1).map(\.0)
        guard modes.count == 1 else {
            throw UsageError(modes.isEmpty ? "nothing to do" : "\(modes.joined(separator: " and ")) were given", hint: "give one of --regex, --range, --list and --remove")
        }
        let makes = modes[0] == "--regex" || modes[0] == "--range"
        guard makes == (invocation[name] != nil) else { throw UsageError(makes ? "the tag has no name" : "--as goes with --regex and --range", hint: makes ? "name it with --as" : "leave it out") }
        if invocation[lists] {
            let catalogue = try invocation.openCatalogue()
            return try list(try catalogue.tags(of: corpus(in: catalogue, invocation).id), invocation)
        }
        let catalogue = try Catalogue(path: invocation[Shared.catalogue], for: .writing), corpus = try corpus(in: catalogue, invocation)
        if let removed = invocation[removed] {
            let tag = try catalogue.tag(named: removed, of: corpus.id)
            try catalogue.removeTag(tag)
            return invocation.note("the tag \(quoted(tag.name)) is removed")
        }
        let predicate = try invocation[regex].map { TokenPredicate.regex($0) } ?? .ranges(try UnicodeRanges(parsing: invocation[ranges]))
        let progress = invocation.progress("tag", total: corpus.documents, unit: "documents")
        let (tag, isNew) = try catalogue.tag(corpus, as: invocation[name]!, predicate, replaces: invocation[replaces], timeLimit: invocation[timeLimit], engine: engineVersion, at: now()) {
            progress.update($0.documents, total: $0.documentsExpected, details: ["\(NumberFormat.short.text(Double($0.tokens))) tokens tagged"])
        }
        progress.finish()
        if !isNew { invocation.note("\(quoted(tag.name)) was there already, with this definition") }
        try list([tag], invocation)
        if tag.tokens == 0 { invocation.note("no token of \(quoted(corpus.name)) satisfies it") }
    }

    private static func list(_ tags: [Tag], _ invocation: Invocation) throws {
        let columns = [Column("tag"), Column("kind"), Column("definition", isFlexible: true), Column("tokens"), Column("documents"), Column("engine", audience: .programs), Column("created_at", audience: .programs)]
        try invocation.print(Table(columns, rows: tags.map {
            [.text($0.name), .text($0.kind.rawValue), .text($0.definition), .integer($0.tokens), .integer($0.documents), .text($0.engine), .text($0.createdAt)]
        }))
    }

    /// That of the dictionary named, or the only one there is.
    private static func corpus(in catalogue: Catalogue, _ invocation: Invocation) throws -> Corpus {
        if let dictionary = invocation[within] { return try catalogue.corpus(try catalogue.run(of: dictionary).corpus) }
        let corpora = try catalogue.connection.rows("SELECT id FROM corpus ORDER BY id") { $0.integer(0) }
        guard corpora.count == 1 else {
            throw corpora.isEmpty ? MonosemeError("the catalogue holds no corpus yet", hint: "fill it with monoseme ingest")
                : UsageError("the catalogue holds \(corpora.count) corpora", hint: "name a dictionary on the one that is meant with --in")
        }
        return try catalogue.corpus(corpora[0])
    }
}
