import Foundation
import Testing
import TestSupport

/// `monoseme train` over the tiny world, keeping a checkpoint of every step.
private func training(into output: String, _ more: [String] = []) -> [String] {
    ["train", "--model", "model", "--hook", "blocks.0.mlp.hook_post", "--corpus", "corpus.jsonl", "--features", "48,64", "--batch", "128", "--buffer", "3000", "--checkpoint-every", "0", "-o", output] + more
}

/// What a person can do to a training run that is under way. One after the other: they measure time.
@Suite(.serialized) struct TrainingTests {
    private func results(_ output: String, in folder: URL) throws -> [Data] {
        try ["48", "64"].flatMap { size in
            try ["cfg.json", "sae_weights.safetensors"].map { try Data(contentsOf: folder.appending(path: "\(output)/\(size)/\($0)")) }
        }
    }

    @Test(.timeLimit(.minutes(5))) func `killed at twelve moments, training ends with the weights of a run that was not`() throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 120)
            let clock = ContinuousClock()
            var whole = Outcome(status: 0, errors: "")
            let duration = try clock.measure { whole = try run(training(into: "whole"), in: folder) }
            try #require(whole.status == 0, "\(whole)")
            let expected = try results("whole", in: folder)

            var random = SystemRandomNumberGenerator(), kills = 0, runs = 0, resumed = 0
            while kills < 12 {
                runs += 1
                let name = "killed\(runs)"
                for turn in 0..<4 {
                    let running = try Running(training(into: name, ["--threads", "\(turn % 2 + 1)"]), in: folder)
                    usleep(UInt32.random(in: 0...UInt32(duration / .microseconds(1)), using: &random))
                    running.kill()
                    let outcome = try running.outcome()
                    if outcome.status == 0 { break }
                    #expect(outcome.status == 128 + SIGKILL, "\(outcome)")
                    kills += 1
                    if FileManager.default.fileExists(atPath: folder.appending(path: "\(name)/checkpoint.safetensors").path) { resumed += 1 }
                }
                let last = try run(training(into: name), in: folder)
                #expect(last.status == 0, "\(last)")
                #expect(try results(name, in: folder) == expected)
                #expect(try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: name).path).sorted() == ["48", "64", "run.json"])
            }
            #expect(resumed > 0, "no kill came after a checkpoint")
        }
    }

    @Test func `a signal to stop keeps the state, and says how to go on`() throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 120)
            for (signal, status) in [(SIGINT, Int32(130)), (SIGTERM, 143)] {
                let name = "stopped\(signal)", checkpoint = folder.appending(path: "\(name)/checkpoint.safetensors").path
                let running = try Running(training(into: name, ["--samples", "10000000"]), in: folder)
                while !FileManager.default.fileExists(atPath: checkpoint), running.process.isRunning { usleep(1000) }
                kill(running.process.processIdentifier, signal)
                let outcome = try running.outcome()
                #expect(outcome.status == status && outcome.output.isEmpty)
                #expect(outcome.errors.hasPrefix("monoseme: \"\(name)\": stopped after step "), "\(outcome)")
                #expect(outcome.errors.hasSuffix(" of 78125; the same command goes on from there\nmonoseme: interrupted\n"), "\(outcome)")
                #expect(FileManager.default.fileExists(atPath: checkpoint))
            }
        }
    }

    @Test func `a limit on file size is told of at checkpoints, and ends the run when the weights are to be written`() throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 20)
            let line = training(into: "limited").joined(separator: " ")
            let outcome = try shell("ulimit -f 10; exec env --default-signal=XFSZ $monoseme \(line)", in: folder)
            #expect(outcome.status == 1 && outcome.output.isEmpty)
            let lines = outcome.errors.split(separator: "\n")
            #expect(lines.first == "monoseme: no checkpoint at step 1: cannot write \"limited/checkpoint.safetensors\": File too large; there is no checkpoint yet; training goes on and tries again")
            #expect(lines.suffix(2) == [
                "monoseme: the training is done, but cannot write \"limited/48/sae_weights.safetensors\": File too large; there is no checkpoint yet",
                "  hint: mend that and run the same command again: it goes on from there",
            ])
            let again = try run(training(into: "limited"), in: folder)
            #expect(again.status == 0, "\(again)")
            _ = try run(training(into: "whole"), in: folder)
            #expect(try results("limited", in: folder) == results("whole", in: folder))
        }
    }

    @Test func `what was trained is ingested as it is`() throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 20)
            let trained = try run(training(into: "sae-T"), in: folder)
            #expect(trained.status == 0 && trained.output.isEmpty, "\(trained)")
            let lines = trained.errors.split(separator: "\n")
            #expect(lines.count == 2 && lines[0].hasPrefix("monoseme: 48 features in \"sae-T/48\": L0 ") && lines[1].hasPrefix("monoseme: 64 features in \"sae-T/64\": L0 "), "\(trained)")
            let ingested = try run(["ingest", "--model", "model", "--sae", "sae-T/48", "--name", "T/0", "--sae", "sae-T/64", "--name", "T/1", "--corpus", "corpus.jsonl"], in: folder)
            #expect(ingested.status == 0, "\(ingested)")
        }
    }

    /// What is wrong with the command line, and what is said of it.
    @Test(arguments: [
        (["--features", "0"], 2, "--features: found \"0\", expected whole numbers of 1 or more, with commas between them"),
        (["--features", "512,-1"], 2, "--features: found \"512,-1\", expected whole numbers of 1 or more, with commas between them"),
        (["--features", "8,8"], 1, "the size 8 is given twice"),
        (["--features", "8", "-k", "3"], 1, "recipe towards-monosemanticity has no constant \"k\""),
        (["--features", "8", "--l1", "1", "--set", "l1=2"], 2, "the constant l1 is given twice, as \"1\" and with --set as \"2\""),
        (["--features", "8", "--set", "l1"], 2, "--set: found \"l1\", expected CONSTANT=VALUE"),
        (["--features", "8", "--activations", "x"], 2, "--corpus and --activations exclude each other"),
        (["--features", "8", "--samples", "9"], 1, "9 samples do not fill a batch of 4096"),
    ])
    func `a command line that makes no sense is refused`(arguments: [String], status: Int32, message: String) throws {
        try withTemporaryFolder { folder in
            try writeTinyWorld(to: folder, documents: 1)
            let outcome = try run(["train", "--model", "model", "--hook", "blocks.0.mlp.hook_post", "--corpus", "corpus.jsonl", "-o", "out"] + arguments, in: folder)
            #expect(outcome.status == status && outcome.output.isEmpty)
            #expect(outcome.errors.hasPrefix("monoseme: \(message)\n  hint: "), "\(outcome)")
        }
    }
}
