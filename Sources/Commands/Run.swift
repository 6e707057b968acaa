import Ingestion

/// The program: every command, in the order in which help lists them.
let program = Program(
    "monoseme", version: String(engineVersion.split(separator: " ").last!), summary: "an embedded catalogue of sparse-autoencoder features",
    chapters: [
        .init("Start", [Demo.self, Train.self, Recipes.self, Evaluate.self, Ingest.self]),
        .init("Ask", [Dictionaries.self, Features.self, Show.self, Near.self, Neighbours.self, LineageTree.self, LineageBuild.self, LineageSummaryCommand.self, Topics.self, TopicsTag.self, Search.self, SQL.self]),
        .init("Label", [LabelAdd.self, LabelAccept.self, LabelReject.self, LabelHistory.self, LabelList.self, LabelRuleCommand.self, LabelSuggest.self, LabelAuto.self, LabelScoreCommand.self, LabelImport.self, LabelExport.self]),
        .init("Share", [Export.self, Import.self, Attach.self]),
        .init("Look after", [Check.self]),
    ])

/// Runs the command line, without the program's name; the result is the exit status: 0 done, 1 failed, 2 usage.
public func run(_ arguments: [String]) -> Int32 { program.run(arguments) }
