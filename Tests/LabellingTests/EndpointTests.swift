import Diagnostics
import Formats
import Foundation
import LabellingSupport
import Synchronization
import Testing
@testable import Labelling

/// Runs `body` with a stub server that answers so.
func withStub(_ reply: @escaping @Sendable (StubServer.Request) -> StubServer.Reply, _ body: (StubServer) throws -> Void) throws {
    let server = try StubServer(reply: reply)
    defer { server.stop() }
    try body(server)
}

private let question = ChatRequest(model: "stub", messages: [ChatMessage(.system, "Be brief."), ChatMessage(.user, "What is \"this\"?\n\\ ü \u{1F600} \u{0}")], maximumTokens: 50, seed: 7)
private let secret = "sk-test-4711-geheim\"\\x"

private func ask(_ server: StubServer, path: String = "", key: String? = secret, timeout: Double = 20, request: ChatRequest = question) throws -> ChatAnswer {
    try CurlEndpoint(server.url + path, key: key, keyVariable: "STUB_KEY", timeout: timeout, answerLimit: 1 << 20).answer(to: request) { false }
}

private func failure(_ body: () throws -> ChatAnswer) -> ChatFailure? {
    do { _ = try body() } catch { return error as? ChatFailure }
    return nil
}

@Suite struct EndpointTests {
    @Test func `a question arrives as it was put, with the key in a header, and the answer comes back`() throws {
        for path in ["", "/", "/chat/completions", "/chat/completions/?a=b"] {
            try withStub({ _ in .answer("Ein \"Ding\"\n\u{1F600}", metering: .claimed(.init(promptTokens: 12, completionTokens: 5, cachedTokens: 3))) }) { server in
                let answer = try ask(server, path: path)
                #expect(answer == ChatAnswer(content: "Ein \"Ding\"\n\u{1F600}", promptTokens: 12, completionTokens: 5, cachedTokens: 3, finishReason: "stop"))
                let request = try #require(server.recorded.requests.first)
                #expect(request.method == "POST" && request.path == "/v1/chat/completions" + (path.hasSuffix("b") ? "?a=b" : ""))
                #expect(request.headers["authorization"] == "Bearer \(secret)" && request.headers["content-type"] == "application/json")
                #expect(String(decoding: request.body, as: UTF8.self) == question.body)
                #expect(request.messages.map(\.content) == question.messages.map(\.content) && request.messages.map(\.role) == ["system", "user"])
                #expect(request.maximumTokens == 50 && request.seed == 7 && request.temperature == 0 && request.model == "stub")
            }
        }
    }

    @Test func `a body of a megabyte goes through`() throws {
        try withStub({ .answer(String($0.lastMessage.utf8.count)) }) { server in
            let long = ChatRequest(model: "m", messages: [ChatMessage(.user, String(repeating: "wort\\\"\n", count: 200_000))], maximumTokens: 1)
            let answer = try ask(server, request: long)
            #expect(answer.content == "1400000")
        }
    }

    @Test func `answers with fields missing are answers as far as they go`() throws {
        let cases: [(reply: StubServer.Reply, content: String, prompt: Int?, finish: String?)] = [
            (.answer("a", metering: .none), "a", nil, "stop"),
            (.answer(nil, finishReason: "length"), "", 21, "length"),
            (.answer("b", metering: .claimed(.init(promptTokens: -4, completionTokens: 1))), "b", nil, "stop"),
            (.answer("c", metering: .claimed(.init(promptTokens: .max, completionTokens: 1))), "c", nil, "stop"),
            (StubServer.Reply(.text(#"{"choices":[{"message":{"content":[{"type":"text","text":"d"},{"type":"x"},{"type":"text","text":"e"}]}}],"usage":null}"#, type: "text/plain")), "de", nil, nil),
            (.garbage(#"{"choices":[{"message":{"content":"\ud83d \ud83d\ude00 \\ud83d \ude00\ud83d"}}]}"#), "\u{fffd} \u{1F600} \\ud83d \u{fffd}\u{fffd}", nil, nil),
            (StubServer.Reply(.text(#" {"choices":[{"message":{"tool_calls":[]}}],"usage":{"prompt_tokens":"9","completion_tokens":1.5}}"#, type: "text/plain")), "", nil, nil),
        ]
        for (reply, content, prompt, finish) in cases {
            try withStub({ _ in reply }) { server in
                let answer = try ask(server)
                #expect(answer.content == content && answer.promptTokens == prompt && answer.finishReason == finish, "\(answer)")
            }
        }
    }

    @Test func `every fault has one clear line, and says whether to try again and whether it may be on the bill`() throws {
        struct Fault { let reply: StubServer.Reply; let says: [String]; let isTransient: Bool; var mayBePaid = false; var retryAfter: Double? }
        let faults = [
            Fault(reply: .failure(500, "out of order"), says: ["status 500", "out of order"], isTransient: true),
            Fault(reply: .html(status: 502), says: ["status 502", "HTML"], isTransient: true),
            Fault(reply: .failure(504, "upstream is slow"), says: ["504"], isTransient: true, mayBePaid: true),
            Fault(reply: .tooManyRequests(retryAfter: "17"), says: ["429", "slow down"], isTransient: true, retryAfter: 17),
            Fault(reply: .tooManyRequests(retryAfter: "-3"), says: ["429"], isTransient: true, retryAfter: 0),
            Fault(reply: .tooManyRequests(retryAfter: "soon"), says: ["429"], isTransient: true),
            Fault(reply: .tooManyRequests(retryAfter: "Sun, 06 Nov 1994 08:49:37 GMT"), says: ["429"], isTransient: true, retryAfter: 0),
            Fault(reply: .failure(429, "you have no money left", code: "insufficient_quota"), says: ["no money left"], isTransient: false),
            Fault(reply: .failure(401, "wrong key"), says: ["401", "wrong key", "STUB_KEY"], isTransient: false),
            Fault(reply: .failure(404, "no such model"), says: ["no such model", "--model"], isTransient: false),
            Fault(reply: .failure(400, String(repeating: "long\u{1b}", count: 500)), says: ["400", "long\\u{1b}", "…"], isTransient: false),
            Fault(reply: .html(), says: ["HTML, not JSON: is the path right?"], isTransient: false),
            Fault(reply: .garbage(), says: ["not JSON", "{{not json"], isTransient: true, mayBePaid: true),
            Fault(reply: .garbage(""), says: ["nothing"], isTransient: true, mayBePaid: true),
            Fault(reply: .garbage("{}"), says: ["choices"], isTransient: false),
            Fault(reply: .garbage("[1]"), says: ["choices"], isTransient: false),
            Fault(reply: .garbage(#"{"choices":[]}"#), says: ["choices"], isTransient: false),
            Fault(reply: .garbage(#"{"error":{"message":"model is loading"}}"#), says: ["model is loading"], isTransient: false),
            Fault(reply: .redirect(to: "http://elsewhere.example/v1"), says: ["redirects", "302", "http://elsewhere.example/v1"], isTransient: false),
            Fault(reply: .redirect(to: "/v2", status: 308), says: ["redirects", "308", "/v2"], isTransient: false),
            Fault(reply: .answer("cut").cut(after: 0), says: ["cut"], isTransient: true, mayBePaid: true),
            Fault(reply: .answer("cut").cut(after: 60), says: ["cut"], isTransient: true, mayBePaid: true),
            Fault(reply: .answer("cut").cut(after: 200), says: ["cut"], isTransient: true, mayBePaid: true),
            Fault(reply: .silence, says: ["did not answer within 0.4 s", "--timeout"], isTransient: true, mayBePaid: true),
            Fault(reply: .endless, says: ["more than 1048576 bytes"], isTransient: false, mayBePaid: true),
        ]
        for fault in faults {
            try withStub({ _ in fault.reply }) { server in
                let isSilent = if case .silence = fault.reply.body { true } else { false }
                let failure = try #require(failure { try ask(server, timeout: isSilent ? 0.4 : 20) }, "\(fault.says)")
                let text = "\(failure.message)\n\(failure.hint ?? "")"
                for words in fault.says { #expect(text.contains(words), "\(text)") }
                #expect(text.contains(server.url) && !text.contains("sk-test") && text.utf8.count < 800 && !failure.message.contains("\n") && !text.contains("\u{1b}"), "\(text)")
                #expect(failure.isTransient == fault.isTransient && failure.mayBePaid == fault.mayBePaid && failure.retryAfter == fault.retryAfter, "\(failure)")
                #expect(server.recorded.connections == 1)
            }
        }
    }

    @Test func `a redirect is not followed, so that the key goes nowhere else`() throws {
        try withStub({ _ in .answer("caught") }) { other in
            for status in [301, 302, 303, 307, 308] {
                try withStub({ _ in .redirect(to: other.url + "/chat/completions", status: status) }) { server in
                    #expect(failure { try ask(server) }?.message.contains(other.url) == true)
                }
            }
            #expect(other.recorded.connections == 0)
        }
    }

    @Test func `nobody there is said at once`() throws {
        let server = try StubServer { _ in .silence }
        server.stop()
        let failure = try #require(failure { try ask(server) })
        #expect(failure.message.hasPrefix("cannot connect to \(server.url)") && failure.isTransient && !failure.mayBePaid, "\(failure)")
        try withStub({ _ in .answer("no TLS here") }) { server in
            do { _ = try CurlEndpoint("https://127.0.0.1:\(server.port)").answer(to: question) { false } } catch let failure as ChatFailure {
                #expect(failure.message.hasPrefix("cannot speak TLS with https://127.0.0.1:") && failure.isTransient && !failure.mayBePaid, "\(failure)")
            }
            #expect(server.recorded.answered == 0)
        }
    }

    @Test func `the key is in no argument, environment, message or answer`() throws {
        // The server repeats it wherever it can.
        let echo: @Sendable (StubServer.Request) -> String = { "you said \($0.headers["authorization"] ?? "") and \($0.path)" }
        try withStub({ .answer(echo($0)) }) { server in
            let answer = try ask(server, path: "?password=querysecret")
            #expect(answer.content == "you said Bearer [key] and /v1/chat/completions[key]")
        }
        for status in [200, 400, 401, 404, 429, 500] {
            try withStub({ request in StubServer.Reply(.text(echo(request), type: "text/plain"), status: status) }) { server in
                let failure = try #require(failure { try ask(server, path: "?password=querysecret") })
                #expect(!"\(failure)".contains("geheim") && !"\(failure)".contains("querysecret") && failure.message.contains("[key]"), "\(failure)")
            }
        }
        try withStub({ .redirect(to: "http://elsewhere.example/?" + ($0.headers["authorization"] ?? "")) }) { server in
            let failure = try #require(failure { try ask(server) })
            #expect(!"\(failure)".contains("geheim") && failure.message.contains("[key]"), "\(failure)")
        }
    }

    @Test func `while curl runs its arguments and its environment do not hold the key`() async {
        // In a process of its own: others run curl, too, and the environment is one for all.
        await #expect(processExitsWith: .success) {
            setenv("MONOSEME_TEST_KEY", secret, 1)
            let seen = Mutex<[String]>([])
            let server = try StubServer { request in
                for process in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] where Int(process) != nil {
                    let arguments = (try? Data(contentsOf: URL(filePath: "/proc/\(process)/cmdline"))) ?? Data()
                    let status = (try? String(contentsOf: URL(filePath: "/proc/\(process)/status"), encoding: .utf8)) ?? ""
                    guard arguments.starts(with: Data("curl\0".utf8)), status.contains("PPid:\t\(getpid())\n") else { continue }
                    let environment = (try? Data(contentsOf: URL(filePath: "/proc/\(process)/environ"))) ?? Data()
                    seen.withLock { $0.append(String(decoding: arguments + environment, as: UTF8.self)) }
                }
                return .answer(request.headers["authorization"] == "Bearer \(secret)" ? "right" : "wrong")
            }
            let answer = try CurlEndpoint(server.url, keyVariable: "MONOSEME_TEST_KEY").answer(to: question) { false }
            server.stop()
            let texts = seen.withLock { $0 }
            #expect(answer.content == "right" && texts.count == 1)
            #expect(texts.allSatisfy { $0.hasPrefix("curl\0-q\0-K\0-\0") && $0.contains("PATH=") && !$0.contains("geheim") && !$0.contains("MONOSEME_TEST_KEY") })
        }
    }

    @Test func `an address is completed, and its secrets are left out of what is shown`() throws {
        let cases: [(String, url: String, location: String)] = [
            ("http://localhost:8080/v1", "http://localhost:8080/v1/chat/completions", "http://localhost:8080/v1/chat/completions"),
            ("http://localhost:8080", "http://localhost:8080/v1/chat/completions", "http://localhost:8080/v1/chat/completions"),
            ("HTTPS://api.example.com/v1/", "https://api.example.com/v1/chat/completions", "https://api.example.com/v1/chat/completions"),
            ("https://api.example.com/v1/chat/completions", "https://api.example.com/v1/chat/completions", "https://api.example.com/v1/chat/completions"),
            ("https://me:pass@word@host/openai/?v=1#x", "https://me:pass@word@host/openai/chat/completions?v=1", "https://host/openai/chat/completions"),
            ("http://[::1]:80/api", "http://[::1]:80/api/chat/completions", "http://[::1]:80/api/chat/completions"),
        ]
        for (text, url, location) in cases {
            let address = try EndpointAddress(parsing: text)
            #expect(address.url == url && address.location == location)
        }
        for text in ["", "localhost:8080/v1", "ftp://host/v1", "file:///etc/passwd", "http://", "http:///v1", "http://:80/v1", "http://user@/v1", "http://host/a b", "http://host/\n-o /tmp/x", "http://host/\"", "http://hÿst/", "http://" + String(repeating: "h", count: 3000)] {
            #expect(throws: MonosemeError.self, "\(text)") { try EndpointAddress(parsing: text) }
        }
        #expect(throws: MonosemeError("--key-env names an environment variable that is not set", hint: "export it first: --key-env takes the variable's name, not the key")) {
            try CurlEndpoint("http://localhost", keyVariable: "sk-a-real-key")
        }
        for key in ["", "  ", "a b", "a\r\nX: y", "schlüssel"] { #expect(throws: MonosemeError.self) { try CurlEndpoint("http://localhost", key: key, keyVariable: "K", timeout: 1) } }
    }

    @Test func `a server that wants another name for the limit gets it`() throws {
        try withStub({ $0.json["max_tokens"] != nil ? .failure(400, "Unsupported parameter: use 'max_completion_tokens' instead.") : .answer("ok") }) { server in
            let endpoint = try CurlEndpoint(server.url)
            for _ in 0..<2 { #expect(try endpoint.answer(to: question, stop: { false }).content == "ok") }
            #expect(server.recorded.requests.map { $0.maximumTokens } == [50, 50, 50])
        }
    }

    @Test func `a call that is to stop has a little time to end, and then none`() throws {
        try withStub({ _ in .answer("late").delayed(0.3) }) { server in
            let answer = try CurlEndpoint(server.url, grace: 20).answer(to: question) { true }
            #expect(answer.content == "late")
        }
        try withStub({ _ in .silence }) { server in
            let endpoint = try CurlEndpoint(server.url, grace: 0.1)
            #expect(throws: AskingStopped()) { try endpoint.answer(to: question) { true } }
        }
    }

    @Test func `the stand-in for a judge errs as often as it is told to, and on the same texts each time`() throws {
        let judge = FallibleJudge(sensitivity: 0.9, specificity: 0.7), count = 2000
        func verdicts(_ word: String, _ judge: FallibleJudge) throws -> Int {
            let texts = (0..<count).map { "\"text \($0) with a \(word)\"" }.joined(separator: "\n")
            let answer = judge.answer(to: [("system", "Decide for each text"), ("user", "Label: \"the token \\\"cat\\\"\"\n\n\(texts)")])
            return (try JSON(parsing: answer).array ?? []).compactMap(\.integer).reduce(0, +)
        }
        let hits = try verdicts("cat", judge), alarms = try verdicts("dog", judge)
        // Three standard errors: √(0.9 · 0.1 / 2000) = 0.0067 and √(0.7 · 0.3 / 2000) = 0.0102.
        #expect(abs(Double(hits) / 2000 - 0.9) < 0.02 && abs(Double(alarms) / 2000 - 0.3) < 0.031)
        #expect(try verdicts("cat", judge) == hits && verdicts("cat", FallibleJudge(sensitivity: 1, specificity: 0)) == count && verdicts("dog", FallibleJudge(sensitivity: 0, specificity: 1)) == 0)
    }
}
