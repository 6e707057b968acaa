import DictionaryLearning
import Foundation
import Testing
import Training

@Suite struct RunResumeTests {
    private static let recipeNames = recipes.map { $0.name }

    @Test(arguments: recipeNames)
    func `killed again and again, a run of each recipe ends with the bits of one that was not`(recipe: String) throws {
        try TinyTraining.with { tiny in
            try tiny.train("whole") { $0.recipe = recipe }
            for step in [1, 2, 7, 16, 17, 25] { try tiny.kill("killed", at: step) { $0.recipe = recipe; $0.threads = step % 2 + 1 } }
            #expect(FileManager.default.fileExists(atPath: tiny.path("killed/checkpoint.safetensors")))
            let summary = try tiny.train("killed") { $0.recipe = recipe; $0.threads = 2 }
            #expect(summary.outcome == .trained && summary.samplesResumed == 24 * TinyTraining.batchSize)
            #expect(try tiny.results("killed") == tiny.results("whole"))
            #expect(try FileManager.default.contentsOfDirectory(atPath: tiny.path("killed")).sorted() == ["48", "64", "run.json"])
        }
    }

    @Test func `a run that is asked to stop keeps its state at once`() throws {
        try TinyTraining.with { tiny in
            try tiny.train("whole")
            for calls in [1, 5] {
                var left = calls
                let summary = try tiny.watch("stopped", isInterrupted: { left -= 1; return left == 0 })
                #expect(summary.outcome == .interrupted)
            }
            // After one step and then five more.
            let summary = try tiny.train("stopped")
            #expect(summary.samplesResumed == 6 * TinyTraining.batchSize)
            #expect(try tiny.results("stopped") == tiny.results("whole"))
        }
    }

    @Test(arguments: recipeNames)
    func `any number of threads gives the same bits`(recipe: String) throws {
        try TinyTraining.with { tiny in
            for threads in 1...3 { try tiny.train("\(threads)") { $0.threads = threads; $0.recipe = recipe } }
            #expect(try tiny.results("2") == tiny.results("1"))
            #expect(try tiny.results("3") == tiny.results("1"))
        }
    }

    @Test func `another seed gives other weights`() throws {
        try TinyTraining.with { tiny in
            try tiny.train("0")
            try tiny.train("1") { $0.seed = 1 }
            #expect(try tiny.results("0")["48/sae_weights.safetensors"] != tiny.results("1")["48/sae_weights.safetensors"])
        }
    }

    @Test func `sizes that share a run are what each would be alone`() throws {
        try TinyTraining.with { tiny in
            try tiny.train("both")
            try tiny.train("alone") { $0.features = [64] }
            #expect(try tiny.data("alone/sae_weights.safetensors") == tiny.data("both/64/sae_weights.safetensors"))
        }
    }

    @Test func `a run over several passes resumes in any of them`() throws {
        try TinyTraining.with { tiny in
            func twice(_ request: inout TrainingRequest) { request.samples = 20_000 }
            let whole = try tiny.train("whole", twice)
            #expect(whole.step == 78 && whole.samples == 19_968 && whole.passes == 3)
            for step in [30, 40, 60, 77] { try tiny.kill("killed", at: step, twice) }
            try tiny.train("killed", twice)
            #expect(try tiny.results("killed") == tiny.results("whole"))
        }
    }

    @Test func `a checkpoint that cannot be written is told of, and tried again`() throws {
        try TinyTraining.with { tiny in
            // A folder stands where the file is to be written, until the third checkpoint.
            try FileManager.default.createDirectory(atPath: tiny.path("run"), withIntermediateDirectories: false)
            let obstacle = tiny.path("run/checkpoint.safetensors.partial")
            var warnings: [String] = []
            #expect(throws: TinyTraining.Killed.self) {
                try tiny.watch("run", report: { state in
                    if state.step == 0, state.stage == .training { try FileManager.default.createDirectory(atPath: obstacle, withIntermediateDirectories: false) }
                    if state.step == 3 { try FileManager.default.removeItem(atPath: obstacle) }
                    if state.step == 5 { throw TinyTraining.Killed() }
                }, warn: { warnings.append($0) }, change: { $0.checkpointInterval = .zero })
            }
            // Once, though the second one fails as well.
            #expect(warnings == ["no checkpoint at step 1: cannot write \"\(tiny.path("run/checkpoint.safetensors"))\": Is a directory; there is no checkpoint yet; training goes on and tries again"])
            try tiny.train("whole")
            #expect(try tiny.train("run").samplesResumed == 4 * TinyTraining.batchSize)
            #expect(try tiny.results("run") == tiny.results("whole"))
        }
    }
}
