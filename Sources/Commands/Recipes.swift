import DictionaryLearning

/// `monoseme recipes`: the `recipes` of DictionaryLearning.
enum Recipes: Command {
    static let recipe = Argument<String?>("RECIPE", help: "Only this one, with its constants")

    static let declaration = Declaration(
        "recipes", summary: "list the recipes that train dictionaries, and their constants",
        discussion: """
            A recipe is a published way to train a dictionary, with every constant as its source has it. Constants are set with `monoseme train --set \
            constant=value` and recorded with what was trained. A λ means nothing without the reductions of the two terms it weighs: they are given with each recipe.
            """,
        parameters: [recipe, Shared.format],
        examples: [("monoseme recipes", "All of them"), ("monoseme recipes jumprelu", "One, with its constants")])

    static func run(_ invocation: Invocation) throws {
        guard let name = invocation[recipe] else {
            var table = Table([Column("recipe"), Column("what it is"), Column("squared error"), Column("sparsity")])
            for recipe in recipes { table.append([.text(recipe.name), .text(recipe.summary), .text(recipe.reductions.meanSquaredError), .text(recipe.reductions.sparsity)]) }
            return try invocation.print(table)
        }
        var table = Table([Column("constant"), Column("default"), Column("meaning")])
        for constant in try DictionaryLearning.recipe(named: name).constants { table.append([.text(constant.name), .text(constant.initialText), .text(constant.meaning)]) }
        try invocation.print(table)
    }
}
