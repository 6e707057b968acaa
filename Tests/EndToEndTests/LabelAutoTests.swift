import FeatureCatalogue
import Formats
import Foundation
import IngestionSupport
import LabellingSupport
import SQLite
import Testing
import TestSupport

/// Rows whose numbers follow the order in which answers come, or the clock.
private let byChance: Set<String> = ["model_call.id", "model_call.attempts", "model_call.created_at", "model_call.request_sha256", "model_call.endpoint", "label_judgement.call_id", "label.parameters",
                                     "label_score.created_at", "label_omission.created_at"]

struct LabelAutoTests {
    private func labelAuto(_ stub: StubServer, _ more: String...) -> [String] {
        ["label", "auto", "L/0", "--endpoint", stub.url, "--model", "judge", "--test", "6", "--parallel", "2", "--price-in", "1", "--price-out", "2"] + more
    }

    private func honest(_ request: StubServer.Request) -> StubServer.Reply { .answer(HonestJudge.answer(to: request.messages)) }

    @Test func `Labels and scores are told, killed runs go on, and what was kept is never asked again`() throws {
        try withTemporaryFolder { folder in
            try LabelWorld().write(to: folder.appending(path: "clean.sqlite").path).checkpoint()
            try FileManager.default.copyItem(at: folder.appending(path: "clean.sqlite"), to: folder.appending(path: "killed.sqlite"))
            let quiet = try StubServer { honest($0) }
            defer { quiet.stop() }
            let clean = try run(labelAuto(quiet, "--features", "0,1,6,7", "--catalogue", "clean.sqlite", "--jsonl"), in: folder)
            #expect(clean.status == 0, "\(clean)")
            let rows = try clean.output.split(separator: "\n").map { try JSON(parsing: String($0)) }
            #expect(rows.map { $0["outcome"]?.string } == ["labelled", "labelled", "left out", "left out"])
            #expect(rows[0]["label"]?.string == "the token \" a0\"" && rows[0]["detection"]?.number == 1 && rows[2]["remark"]?.string == "too few examples: 7 activating windows, 12 needed")
            #expect(clean.errors.contains("2 labelled, 0 unknown to the model, 0 malformed, 2 left out for want of examples") && clean.errors.contains("with random labels (+"))
            #expect(clean.errors.contains("\(quiet.recorded.answered) calls"))

            // Slow enough to be killed at work, with faults of every kind on the way.
            let rough = try StubServer { request in
                switch request.number % 11 {
                case 3: .failure(500, "out of order")
                case 6: .tooManyRequests(retryAfter: "0")
                case 9: honest(request).cut(after: 40)
                default: honest(request).delayed(0.005)
                }
            }
            defer { rough.stop() }
            var kept: [(bodies: Set<String>, requests: Int)] = []
            for goal in [1, 8, 7] {
                let running = try Running(labelAuto(rough, "--features", "0,1,6,7", "--catalogue", "killed.sqlite"), in: folder)
                let before = rough.recorded.answered
                while rough.recorded.answered < before + goal, running.process.isRunning { usleep(2000) }
                running.kill()
                #expect(try running.outcome().status == 128 + 9)
                #expect(try complaints(about: folder.appending(path: "killed.sqlite").path) == [])
                let connection = try Connection(path: folder.appending(path: "killed.sqlite").path, access: .readOnly)
                kept.append((Set(try connection.rows("SELECT request FROM model_call") { $0.text(0) }), rough.recorded.requestCount))
            }
            let finished = try run(labelAuto(rough, "--features", "0,1,6,7", "--catalogue", "killed.sqlite", "--jsonl"), in: folder)
            #expect(finished.status == 0 && finished.output == clean.output, "\(finished)")
            #expect(kept.last!.bodies.count > 10)
            for (bodies, requests) in kept {
                #expect(rough.recorded.requests.dropFirst(requests).allSatisfy { !bodies.contains(String(decoding: $0.body, as: UTF8.self)) })
            }
            func rowsOf(_ name: String) throws -> CatalogueRows { try CatalogueRows(path: folder.appending(path: name).path, leavingOut: byChance) }
            #expect(try rowsOf("killed.sqlite").difference(from: rowsOf("clean.sqlite")) == [])
        }
    }

    @Test func `An estimate sends nothing, a budget ends the command with status 1, and bad options are named`() throws {
        try withTemporaryFolder { folder in
            try LabelWorld().write(to: folder.appending(path: "catalogue.sqlite").path).checkpoint()
            let stub = try StubServer { honest($0) }
            defer { stub.stop() }
            let estimate = try run(labelAuto(stub, "--estimate", "--csv"), in: folder)
            #expect(estimate.status == 0 && stub.recorded.connections == 0, "\(estimate)")
            #expect(estimate.output.hasPrefix("what,baseline,is_wanted,calls,prompt_tokens,completion_tokens,completion_tokens_maximum,cost,cost_maximum\nexplain,false,true,6,") && estimate.output.contains("\nsimulation,false,false,"))
            #expect(estimate.errors.contains("6 features would be asked about, 2 left out for want of examples; nothing was sent"))
            let poor = try run(labelAuto(stub, "--budget", "0.03"), in: folder)
            #expect(poor.status == 1 && poor.errors.contains("monoseme: the budget of $0.0300 does not reach for the next call") && poor.errors.contains("larger --budget"), "\(poor)")
            for (options, message) in [
                (["label", "auto", "L/0", "--model", "judge"], "missing option --endpoint URL"), (["label", "auto", "L/0", "--endpoint", stub.url], "missing option --model NAME"),
                (["label", "auto", "L/0", "--estimate", "--score", "surprisal"], "--score: \"surprisal\" is no way of scoring by a language model"),
                (["label", "auto", "L/0", "--estimate", "--features", "1-x"], "--features: \"1-x\" is neither an index nor a range of indices"),
                (["label", "auto", "L/0", "--estimate", "--features", "1", "--limit", "2"], "--features was given with --limit"),
            ] {
                let outcome = try run(options, in: folder)
                #expect(outcome.status == 2 && outcome.errors.contains(message), "\(outcome)")
            }
            let none = try run(["label", "score", "L/0/7", "--estimate"], in: folder)
            #expect(none.status == 1 && none.errors.contains("the features named have no labels"), "\(none)")
            let few = try run(["label", "auto", "L/0", "--estimate", "--features", "8"], in: folder)
            #expect(few.status == 1 && few.errors.contains("there is no feature 8: the dictionary has 8 features"), "\(few)")
        }
    }
}
