@testable import Commands
import DictionaryLearning
import Testing

@Suite struct TrainTests {
    private func transcript(_ line: String) -> Transcript {
        let output = Output.memory(), errors = Output.memory()
        let status = program.run(shellWords(line), environment: Environment([:]), output: output, errors: errors, terminal: .plain, errorTerminal: .plain)
        return Transcript(status: status, output: output.text, errors: errors.text)
    }

    @Test func `every recipe is listed with its constants`() {
        let list = transcript("recipes").output
        for recipe in recipes {
            #expect(list.contains("\n\(recipe.name) "))
            let constants = transcript("recipes \(recipe.name)").output
            for constant in recipe.constants { #expect(constants.contains("\n\(constant.name) ") && constants.contains(constant.meaning)) }
        }
        #expect(transcript("recipes cake") == Transcript(status: 1, errors: """
            monoseme: there is no recipe "cake"
              hint: recipes are towards-monosemanticity, april-2024, topk, batch-topk, matryoshka, jumprelu

            """))
    }

    @Test(arguments: [
        ([], ""), ([3], "█"), ([2, 2, 2], "███"), ([8, 7, 6, 5, 4, 3, 2, 1], "█▇▆▅▄▃▂▁"), ([1000, 999, 993], "█▇▁"), ([5, .nan, 1], "█▁"), ([5, .infinity, 1], "█▁"),
    ] as [([Double], String)])
    func `the course of the loss fills the line from its least to its greatest`(losses: [Double], line: String) {
        #expect(Train.lossLine(losses) == line)
    }

    @Test func `sizes are written with commas`() {
        #expect(Sizes("512,4096")?.values == [512, 4096])
        for text in ["", "0", "512,", ",512", "512, 4096", "-1", "1e3", "99999999999999999999"] { #expect(Sizes(text) == nil) }
    }

    @Test func `a constant is set with its name and value`() {
        #expect(Setting("resample_at=0.25,0.5").map { [$0.name, $0.value] } == ["resample_at", "0.25,0.5"])
        for text in ["", "l1", "=1", "l1="] { #expect(Setting(text) == nil) }
    }
}
