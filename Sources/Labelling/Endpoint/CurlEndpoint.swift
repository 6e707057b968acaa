import Diagnostics
import Formats
import Glibc
import Synchronization

/// A server that speaks the OpenAI chat-completions protocol (llama.cpp, vLLM, Ollama, hosted ones), reached through the `curl` program.
///
/// The key goes to curl in memory and to the server in a header. It is in no argument, no file and no message, and where the server itself
/// repeats it, it is taken out. Redirects are not followed: a key must not be sent elsewhere.
public final class CurlEndpoint: ChatEndpoint {
    public let location: String
    private let url: String
    private let isLoopback: Bool
    private let key: String?
    private let keyVariable: String?
    /// Words that must not get out.
    private let secrets: [String]
    private let timeout: Double
    private let answerLimit: Int
    private let grace: Double
    /// The server has refused `max_tokens` and named another word for it.
    private let wantsNewLimitName = Atomic(false)

    /// - Parameters:
    ///   - address: such as `http://localhost:8080/v1`; `/chat/completions` is added where it is missing.
    ///   - keyVariable: the environment variable that holds the key; `nil`: none is sent.
    ///   - timeout: for a call, in seconds.
    ///   - answerLimit: bytes that an answer may have.
    ///   - grace: seconds that calls under way have left when they are to stop.
    public convenience init(_ address: String, keyVariable: String? = nil, timeout: Double = 120, answerLimit: Int = 1 << 24, grace: Double = 3) throws {
        var key: String?
        if let keyVariable {
            guard !keyVariable.isEmpty, !keyVariable.utf8.contains(where: { $0 == 0 || $0 == UInt8(ascii: "=") }), let value = getenv(keyVariable).map({ String(cString: $0) }) else {
                // Who gives the key itself instead of a name must not see it printed.
                throw MonosemeError("--key-env names an environment variable that is not set", hint: "export it first: --key-env takes the variable's name, not the key")
            }
            key = value
        }
        try self.init(address, key: key, keyVariable: keyVariable, timeout: timeout, answerLimit: answerLimit, grace: grace)
    }

    init(_ address: String, key: String?, keyVariable: String?, timeout: Double, answerLimit: Int = 1 << 24, grace: Double = 3) throws {
        let address = try EndpointAddress(parsing: address)
        (location, url, isLoopback) = (address.location, address.url, address.isLoopback)
        var key = key
        if let given = key {
            let name = keyVariable ?? "of the endpoint"
            let bytes = given.utf8.drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed()
            guard !bytes.isEmpty else { throw MonosemeError("the key \(quoted(name)) is empty", hint: "export it, or leave out --key-env") }
            guard bytes.count <= 8192, bytes.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { throw MonosemeError("the key \(quoted(name)) holds characters that a header cannot hold", hint: "a key is one word of ASCII") }
            key = String(decoding: bytes, as: UTF8.self)
        }
        (self.key, self.keyVariable) = (key, keyVariable)
        // Shorter words are no secrets: local servers are happy with "x", and answers hold such words.
        secrets = ([key].compactMap { $0 } + address.secrets).filter { $0.utf8.count >= 8 }.sorted { $0.utf8.count > $1.utf8.count }
        (self.timeout, self.answerLimit, self.grace) = (timeout, answerLimit, grace)
    }

    public func answer(to request: ChatRequest, stop: @Sendable () -> Bool) throws -> ChatAnswer {
        do {
            let isNew = wantsNewLimitName.load(ordering: .relaxed)
            do { return try ask(request.body(limitName: isNew ? "max_completion_tokens" : "max_tokens"), stop) } catch let failure as ChatFailure where !isNew && failure.isAboutLimitName {
                // Newer hosted models know the limit by another name only. A request that was refused costs nothing.
                wantsNewLimitName.store(true, ordering: .relaxed)
                return try ask(request.body(limitName: "max_completion_tokens"), stop)
            }
        } catch var failure as ChatFailure {
            failure.message = withoutSecrets(failure.message)
            failure.hint = failure.hint.map(withoutSecrets)
            throw failure
        } catch let error as MonosemeError {
            throw MonosemeError(withoutSecrets(error.message), hint: error.hint.map(withoutSecrets))
        }
    }

    private func ask(_ body: String, _ stop: () -> Bool) throws -> ChatAnswer {
        var lines = ["url = \"\(url)\"", "proto = \"=http,https\"", "globoff", "silent", "show-error", "suppress-connect-headers", "connect-timeout = 10", "max-time = \(timeout)",
                     "data-binary = \"@/dev/fd/3\"", "dump-header = \"/dev/fd/4\"", "write-out = \"%{stderr}\\n\(CurlEndpoint.connected)%{time_connect}\"",
                     // Long bodies are sent at once, without waiting to be asked for.
                     "header = \"Expect:\"", "header = \"Content-Type: application/json\"", "header = \"Accept: application/json\"", "user-agent = \"monoseme\""]
        if isLoopback { lines.append("noproxy = \"*\"") }
        if let key { lines.append("header = \"Authorization: Bearer \(String(key.flatMap { $0 == "\"" || $0 == "\\" ? ["\\", $0] : [$0] }))\"") }
        let result = try CurlProcess.run(configuration: lines.joined(separator: "\n") + "\n", upload: body, hidden: [keyVariable].compactMap { $0 }, bodyLimit: answerLimit,
                                         seconds: timeout + 5, grace: grace, stop: stop)
        let headers = ResponseHeaders(parsing: result.headers)
        switch result.end {
        case .stopped: throw AskingStopped()
        case .timedOut: throw tookTooLong(isSent: true)
        case .tooLong(let limit): throw ChatFailure("\(location) answered with more than \(limit) bytes", hint: "is it a chat-completions endpoint?", mayBePaid: true)
        case .headersTooLong: throw ChatFailure("\(location) answered with more than \(CurlProcess.headerLimit) bytes of headers", hint: "is it a chat-completions endpoint?", mayBePaid: true)
        case .killed(let signal): throw ChatFailure("curl was ended by signal \(signal)", isTransient: true, mayBePaid: true)
        case .exited(0): break
        case .exited(let code): throw failure(of: code, String(decoding: result.words, as: UTF8.self))
        }
        guard let status = headers.status else { throw ChatFailure("\(location) does not speak HTTP: \(excerpt(result.body, shown))", hint: "is the port right?") }
        guard headers.isWhole else { throw ChatFailure("the connection to \(location) was cut within the headers", isTransient: true, mayBePaid: true) }
        guard status == 200 else { throw refusal(status, headers, result.body) }
        var answer = try ChatAnswer(parsing: result.body, from: location, shown: shown)
        answer.content = withoutSecrets(answer.content)
        answer.finishReason = answer.finishReason.map(withoutSecrets)
        return answer
    }

    // MARK: What went wrong

    /// Marks the line that says when the connection was made.
    private static let connected = "connected after "

    private func tookTooLong(isSent: Bool) -> ChatFailure {
        ChatFailure(isSent ? "\(location) did not answer within \(number(timeout)) s" : "\(location) could not be reached in time", hint: isSent ? "give it more time with --timeout" : nil, isTransient: true, mayBePaid: isSent)
    }

    /// Of what curl's exit codes say (its manual, "Exit codes").
    private func failure(of code: Int32, _ output: String) -> ChatFailure {
        let lines = output.split(whereSeparator: \.isNewline)
        let isConnected = lines.contains { $0.hasPrefix(CurlEndpoint.connected) && $0.contains { "123456789".contains($0) } }
        let words = lines.first { !$0.hasPrefix(CurlEndpoint.connected) }.map { line in line.firstIndex(of: ")").map { line[line.index(after: $0)...].drop { $0 == " " } } ?? line } ?? "no reason given"
        let said = shown(String(words))
        return switch code {
        case 5, 6, 7: ChatFailure("cannot connect to \(location): \(said)", hint: "is the server running, and the address right?", isTransient: true)
        case 28: tookTooLong(isSent: isConnected)
        case 16, 18, 52, 55, 56, 92, 95, 96: ChatFailure("the connection to \(location) was cut: \(said)", isTransient: true, mayBePaid: true)
        case 35: ChatFailure("cannot speak TLS with \(location): \(said)", hint: "is it https, and the port right?", isTransient: true)
        case 1, 8: ChatFailure("\(location) does not speak HTTP: \(said)", hint: "are scheme and port right?")
        case 60: ChatFailure("the certificate of \(location) is not trusted: \(said)", hint: "name the authority that signed it with the environment variable CURL_CA_BUNDLE")
        default: ChatFailure("curl could not ask \(location) (its exit code is \(code)): \(said)", hint: "curl's manual lists its exit codes")
        }
    }

    /// Of a status other than 200.
    private func refusal(_ status: Int, _ headers: ResponseHeaders, _ body: [UInt8]) -> ChatFailure {
        if 300..<400 ~= status {
            let target = headers["location"].map { "to \(shown($0))" } ?? "without saying where to"
            return ChatFailure("\(location) redirects (status \(status)) \(target)", hint: "the question was not sent there; give that address with --endpoint if you trust it")
        }
        let json = body.withUnsafeBytes { try? JSON(parsing: $0) }
        let isHTML = body.first { $0 > 0x20 } == UInt8(ascii: "<")
        let said = json.flatMap { serverMessage($0, shown) } ?? (body.isEmpty ? "no reason given" : isHTML ? "a page of HTML" : excerpt(body, shown))
        let message = "\(location) answered with status \(status): \(said)"
        switch status {
        // Money that has run out does not come back by waiting.
        case 429 where json?["error"]?["code"]?.string == "insufficient_quota": return ChatFailure(message)
        case 408, 425, 429, 500...599:
            return ChatFailure(message, isTransient: true, retryAfter: headers.retryAfter, mayBePaid: status == 408 || status == 504 || status == 524)
        case 401, 403: return ChatFailure(message, hint: key == nil ? "name the environment variable that holds your key with --key-env" : "is the key in \(keyVariable ?? "the environment") right?")
        case 404: return ChatFailure(message, hint: "are the path of --endpoint and the name of --model right?")
        default: return ChatFailure(message)
        }
    }

    private func withoutSecrets(_ text: String) -> String { secrets.reduce(text) { replacing($1, by: "[key]", in: $0) } }

    /// Words from outside for a message; secrets go first, or a quotation could hide them or a cut leave a part.
    private func shown(_ text: String) -> String { quoted(withoutSecrets(text), limit: 200) }

    private func number(_ seconds: Double) -> String { seconds == seconds.rounded() && seconds < 1e9 ? String(Int(seconds)) : String(seconds) }
}

private extension ChatFailure {
    var isAboutLimitName: Bool { !isTransient && contains("max_completion_tokens", in: message) }
}

/// The headers of the last response: before it may stand some that only say that there is more to come.
struct ResponseHeaders {
    private(set) var status: Int?
    /// An empty line ended them.
    let isWhole: Bool
    private var fields: [String: String] = [:]

    init(parsing bytes: [UInt8]) {
        isWhole = bytes.suffix(4) == [13, 10, 13, 10] || bytes.suffix(2) == [10, 10]
        for line in bytes.split(whereSeparator: { $0 == 0x0a || $0 == 0x0d }) {
            let line = String(decoding: line, as: UTF8.self)
            if line.hasPrefix("HTTP/") {
                let words = line.split(separator: " ")
                status = words.count > 1 ? Int(words[1]) : nil
                fields = [:]
            } else if let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")) {
                fields[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" })
            }
        }
    }

    subscript(name: String) -> String? { fields[name] }

    /// Seconds, from a number or from a date.
    var retryAfter: Double? {
        guard let text = fields["retry-after"] else { return nil }
        if let seconds = Double(text) { return seconds.isFinite ? max(0, seconds) : nil }
        // Sun, 06 Nov 1994 08:49:37 GMT
        let words = text.split { $0 == " " || $0 == ":" || $0 == "," }, months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        guard words.count == 8, words[7] == "GMT", let month = months.firstIndex(where: { $0 == words[2] }) else { return nil }
        let numbers = [1, 3, 4, 5, 6].compactMap { Int32(words[$0]) }
        guard numbers.count == 5, 1...31 ~= numbers[0], 1970...9999 ~= numbers[1], numbers[2...].allSatisfy({ 0...60 ~= $0 }) else { return nil }
        var parts = tm()
        (parts.tm_mday, parts.tm_mon, parts.tm_year, parts.tm_hour, parts.tm_min, parts.tm_sec) = (numbers[0], Int32(month), numbers[1] - 1900, numbers[2], numbers[3], numbers[4])
        return max(0, Double(timegm(&parts)) - Double(time(nil)))
    }
}

/// `text` with every `secret` replaced; compared byte by byte.
func replacing(_ secret: String, by other: String, in text: String) -> String {
    let secret = Array(secret.utf8), bytes = Array(text.utf8)
    guard !secret.isEmpty, bytes.count >= secret.count else { return text }
    var out: [UInt8] = [], at = 0, isFound = false
    while at < bytes.count {
        if bytes[at] == secret[0], at + secret.count <= bytes.count, bytes[at..<at + secret.count].elementsEqual(secret) {
            out += Array(other.utf8)
            at += secret.count
            isFound = true
        } else {
            out.append(bytes[at])
            at += 1
        }
    }
    return isFound ? String(decoding: out, as: UTF8.self) : text
}

private func contains(_ word: String, in text: String) -> Bool { replacing(word, by: "", in: text) != text }
