import FeatureCatalogue

/// `monoseme label accept`: `Catalogue.decide`.
enum LabelAccept: Command {
    static let declaration = Declaration(
        "label accept", summary: "accept drafts, or labels that were rejected",
        discussion: "A feature goes by the newest of its accepted labels. Several labels are accepted together: all, or where one is not there, none. A stale label stays stale: a label of the new evidence is a new one.",
        parameters: [LabelShared.targets, LabelShared.author, LabelShared.reason],
        examples: [("monoseme label accept A/1/2357 --author ada", "The label that the feature goes by"), ("monoseme label accept 17 18 21 --author ada --reason \"checked on twenty examples\"", "By their numbers, which label list and label history show")])

    static func run(_ invocation: Invocation) throws { try LabelShared.decide(.accepted, invocation) }
}

/// `monoseme label reject`: `Catalogue.decide`.
enum LabelReject: Command {
    static let declaration = Declaration(
        "label reject", summary: "reject labels, which then stay in the history only",
        discussion: "The feature goes by its newest accepted label, or else by its newest draft, if it has one that was not rejected. To reject takes nothing away: a label that was rejected can be accepted.",
        parameters: [LabelShared.targets, LabelShared.author, LabelShared.reason],
        examples: [("monoseme label reject A/1/2357 --author ada --reason \"it fires on hex as well\"", "The label that the feature goes by"), ("monoseme label reject 17 18 --author ada", "By their numbers")])

    static func run(_ invocation: Invocation) throws { try LabelShared.decide(.rejected, invocation) }
}
