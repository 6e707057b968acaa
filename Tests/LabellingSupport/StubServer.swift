import Diagnostics
import Formats
import Glibc
import Synchronization

/// A server on loopback that speaks the OpenAI chat-completions protocol and answers whatever a closure says, faults of every kind among it.
///
/// It counts what it was asked and what it metered, by a rule of its own. One thread for each connection; a connection serves one request.
public final class StubServer: @unchecked Sendable {
    /// A question as it came over the wire.
    public struct Request: Sendable {
        /// From 0, in the order in which they were read.
        public let number: Int
        public let method: String
        public let path: String
        /// Names in lower case.
        public let headers: [String: String]
        public let body: [UInt8]
        /// `.null` where the body is not JSON.
        public let json: JSON

        public var model: String { json["model"]?.string ?? "" }
        public var messages: [(role: String, content: String)] { (json["messages"]?.array ?? []).map { ($0["role"]?.string ?? "", $0["content"]?.string ?? "") } }
        public var lastMessage: String { messages.last?.content ?? "" }
        public var maximumTokens: Int? { json["max_tokens"]?.integer ?? json["max_completion_tokens"]?.integer }
        public var temperature: Double? { json["temperature"]?.number }
        public var seed: Int? { json["seed"]?.integer }
    }

    public struct Usage: Sendable, Equatable {
        public var promptTokens: Int
        public var completionTokens: Int
        public var cachedTokens: Int?

        public init(promptTokens: Int, completionTokens: Int, cachedTokens: Int? = nil) { (self.promptTokens, self.completionTokens, self.cachedTokens) = (promptTokens, completionTokens, cachedTokens) }
    }

    public struct Reply: Sendable {
        public enum Metering: Sendable { case counted, none, claimed(Usage) }
        public enum Body: Sendable {
            /// A chat completion; `nil`: its content is null.
            case answer(String?, finishReason: String)
            case text(String, type: String)
            /// Bytes without end.
            case endless
            /// The connection is held and nothing is said.
            case silence
        }

        public var body: Body
        public var status = 200
        public var headers: [(name: String, value: String)] = []
        public var metering = Metering.counted
        /// Seconds before the first byte.
        public var delay = 0.0
        /// The connection is cut after so many bytes of the response, headers counted.
        public var cutAfter: Int?

        public init(_ body: Body, status: Int = 200) { (self.body, self.status) = (body, status) }

        public static func answer(_ content: String?, finishReason: String = "stop") -> Reply { Reply(.answer(content, finishReason: finishReason)) }
        public static func answer(_ content: String?, metering: Metering) -> Reply { answer(content).changed { $0.metering = metering } }
        public static func html(status: Int = 200) -> Reply { Reply(.text("<!DOCTYPE html><html><body>Welcome</body></html>", type: "text/html"), status: status) }
        public static func garbage(_ text: String = "\u{1}{{not json") -> Reply { Reply(.text(text, type: "application/json")) }
        public static func failure(_ status: Int, _ message: String, code: String? = nil) -> Reply {
            var writer = JSONWriter()
            writer.object { writer in
                writer.key("error")
                writer.object { writer in
                    writer.member("message", message)
                    writer.member("code", code)
                }
            }
            return Reply(.text(writer.text, type: "application/json"), status: status)
        }
        public static func tooManyRequests(retryAfter: String? = nil) -> Reply {
            failure(429, "slow down").changed { reply in if let retryAfter { reply.headers.append(("Retry-After", retryAfter)) } }
        }
        public static func redirect(to target: String, status: Int = 302) -> Reply { Reply(.text("", type: "text/plain"), status: status).changed { $0.headers.append(("Location", target)) } }
        public static var silence: Reply { Reply(.silence) }
        public static var endless: Reply { Reply(.endless) }

        public func delayed(_ seconds: Double) -> Reply { changed { $0.delay = seconds } }
        public func cut(after bytes: Int) -> Reply { changed { $0.cutAfter = bytes } }

        private func changed(_ change: (inout Reply) -> Void) -> Reply {
            var reply = self
            change(&reply)
            return reply
        }
    }

    /// What was asked and metered so far.
    public struct Record: Sendable {
        public var requests: [Request] = []
        public var requestCount = 0
        /// Connections that were made, and whole requests that were answered with a whole chat completion.
        public var connections = 0
        public var answered = 0
        public var promptTokens = 0
        public var completionTokens = 0
        /// The most requests that were under way at once.
        public var mostAtOnce = 0
        public var underWay = 0
    }

    public let port: Int
    private let listener: Int32
    private let reply: @Sendable (Request) -> Reply
    private let record = Mutex(Record())
    private let isStopping = Atomic(false)
    private let threads = Atomic(0)
    private let keepsRequests: Bool

    /// The base address, as `--endpoint` takes it.
    public var url: String { "http://127.0.0.1:\(port)/v1" }
    public var recorded: Record { record.withLock { $0 } }

    /// Begins to listen on 127.0.0.1.
    /// - Parameters:
    ///   - port: 0: any that is free.
    ///   - keepsRequests: whether `recorded.requests` holds them all, which for a long run is too much.
    public init(port: Int = 0, keepsRequests: Bool = true, reply: @escaping @Sendable (Request) -> Reply) throws {
        (self.reply, self.keepsRequests) = (reply, keepsRequests)
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard listener >= 0 else { throw MonosemeError("cannot make a socket: \(String(cString: strerror(errno)))") }
        var yes: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, 4)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(truncatingIfNeeded: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let listens = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) == 0 && Glibc.listen(listener, 128) == 0 && getsockname(listener, $0, &size) == 0 }
        }
        self.listener = listener
        guard listens else {
            let problem = String(cString: strerror(errno))
            close(listener)
            throw MonosemeError("cannot listen on port \(port) of 127.0.0.1: \(problem)", hint: "choose another with --port")
        }
        self.port = Int(UInt16(bigEndian: address.sin_port))
        threads.add(1, ordering: .relaxed)
        start { $0.listen() }
    }

    /// Ends all connections and waits for the threads.
    public func stop() {
        isStopping.store(true, ordering: .releasing)
        while threads.load(ordering: .acquiring) > 0 { usleep(2000) }
    }

    // MARK: Threads

    private final class Start {
        let server: StubServer, body: (StubServer) -> Void
        init(_ server: StubServer, _ body: @escaping (StubServer) -> Void) { (self.server, self.body) = (server, body) }
    }

    /// Runs `body` on a thread that has been counted in `threads`.
    private func start(_ body: @escaping (StubServer) -> Void) {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Start(self, body))
        let code = pthread_create(&thread, nil, { context in
            let start = Unmanaged<Start>.fromOpaque(context!).takeRetainedValue()
            start.body(start.server)
            start.server.threads.subtract(1, ordering: .releasing)
            return nil
        }, context.toOpaque())
        precondition(code == 0, "no thread for the stub server")
        pthread_detach(thread)
    }

    private func waitUntilReadable(_ descriptor: Int32) -> Bool {
        while !isStopping.load(ordering: .acquiring) {
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            if poll(&wait, 1, 20) > 0 { return true }
        }
        return false
    }

    private func listen() {
        defer { close(listener) }
        while waitUntilReadable(listener) {
            let connection = accept(listener, nil, nil)
            guard connection >= 0 else { continue }
            _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
            threads.add(1, ordering: .relaxed)
            start { $0.serve(connection) }
        }
    }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        record.withLock { $0.connections += 1 }
        guard let request = receive(connection) else { return }
        record.withLock { record in
            record.underWay += 1
            record.mostAtOnce = max(record.mostAtOnce, record.underWay)
        }
        defer { record.withLock { $0.underWay -= 1 } }
        let reply = reply(request)
        guard pause(reply.delay, connection) else { return }
        switch reply.body {
        case .silence: _ = pause(.infinity, connection)
        case .endless:
            guard send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", connection) else { return }
            let chunk = "10000\r\n" + String(repeating: " ", count: 65536) + "\r\n"
            while !isStopping.load(ordering: .acquiring), send(chunk, connection) {}
        case .text(let text, let type): _ = send(text, type, reply, connection)
        case .answer(let content, let finishReason):
            let usage: Usage? = switch reply.metering {
            case .none: nil
            case .claimed(let usage): usage
            case .counted: StubServer.meter(request, content ?? "")
            }
            // Counted before the client can know, and taken back where the answer did not get through.
            func count(_ sign: Int) {
                record.withLock { record in
                    record.answered += sign
                    record.promptTokens &+= sign &* (usage?.promptTokens ?? 0)
                    record.completionTokens &+= sign &* (usage?.completionTokens ?? 0)
                }
            }
            count(1)
            if !send(StubServer.completion(content, finishReason, request.model, request.number, usage), "application/json", reply, connection) { count(-1) }
        }
    }

    /// Waits; `false` when the client has gone or the server stops.
    private func pause(_ seconds: Double, _ connection: Int32) -> Bool {
        let end = seconds.isFinite ? ContinuousClock.now + .seconds(seconds) : nil
        while !isStopping.load(ordering: .acquiring) {
            if let end, end <= .now { return true }
            var wait = pollfd(fd: connection, events: Int16(POLLIN), revents: 0), byte: UInt8 = 0
            if poll(&wait, 1, 2) > 0, recv(connection, &byte, 1, Int32(MSG_PEEK)) <= 0 { return false }
        }
        return false
    }

    // MARK: HTTP

    private func receive(_ connection: Int32) -> Request? {
        var bytes: [UInt8] = [], buffer = [UInt8](repeating: 0, count: 1 << 16), headerEnd: Int?, length = 0
        var method = "", path = "", headers: [String: String] = [:]
        while true {
            if headerEnd == nil, let end = StubServer.endOfHeaders(bytes) {
                headerEnd = end
                let lines = String(decoding: bytes[..<end], as: UTF8.self).split(whereSeparator: \.isNewline)
                let words = lines.first?.split(separator: " ") ?? []
                guard words.count == 3 else { return nil }
                (method, path) = (String(words[0]), String(words[1]))
                for line in lines.dropFirst() {
                    guard let colon = line.firstIndex(of: ":") else { continue }
                    headers[line[..<colon].lowercased()] = String(line[line.index(after: colon)...].drop { $0 == " " })
                }
                length = headers["content-length"].flatMap { Int($0) } ?? 0
                guard 0...(1 << 28) ~= length else { return nil }
            }
            if let headerEnd, bytes.count >= headerEnd + length {
                let body = Array(bytes[headerEnd..<headerEnd + length]), json = body.withUnsafeBytes { try? JSON(parsing: $0) } ?? .null
                return record.withLock { [method, path, headers] record in
                    let request = Request(number: record.requestCount, method: method, path: path, headers: headers, body: body, json: json)
                    record.requestCount += 1
                    if keepsRequests { record.requests.append(request) }
                    return request
                }
            }
            guard bytes.count < 1 << 28, waitUntilReadable(connection) else { return nil }
            let got = recv(connection, &buffer, buffer.count, 0)
            guard got > 0 else { return nil }
            bytes += buffer[..<got]
            // The greeting of TLS, which nobody speaks here.
            if bytes[0] == 0x16 { return nil }
        }
    }

    private static func endOfHeaders(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for start in 0...bytes.count - 4 where bytes[start] == 13 && bytes[start + 1] == 10 && bytes[start + 2] == 13 && bytes[start + 3] == 10 { return start + 4 }
        return nil
    }

    /// `false` where it was cut, by the reply's will or by the client's.
    private func send(_ text: String, _ type: String, _ reply: Reply, _ connection: Int32) -> Bool {
        var response = "HTTP/1.1 \(reply.status) \(reply.status == 200 ? "OK" : "Other")\r\nContent-Type: \(type)\r\nContent-Length: \(text.utf8.count)\r\nConnection: close\r\n"
        for (name, value) in reply.headers { response += "\(name): \(value)\r\n" }
        let bytes = Array((response + "\r\n" + text).utf8)
        guard let cut = reply.cutAfter, cut < bytes.count else { return send(bytes[...], connection) }
        _ = send(bytes[..<max(0, cut)], connection)
        return false
    }

    private func send(_ text: String, _ connection: Int32) -> Bool { send(Array(text.utf8)[...], connection) }

    private func send(_ bytes: ArraySlice<UInt8>, _ connection: Int32) -> Bool {
        bytes.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                var wait = pollfd(fd: connection, events: Int16(POLLOUT), revents: 0)
                guard !isStopping.load(ordering: .acquiring) else { return false }
                if poll(&wait, 1, 20) <= 0 { continue }
                let sent = Glibc.send(connection, bytes.baseAddress! + done, bytes.count - done, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
                if sent < 0, errno == EINTR || errno == EAGAIN { continue }
                guard sent > 0 else { return false }
                done += sent
            }
            return true
        }
    }

    // MARK: Metering

    /// One token for every four bytes begun, four more for each message and three for the answer's beginning; of the answer, no more than was allowed.
    ///
    /// Counted byte by byte here, and in another way by those whom it judges.
    public static func meter(_ request: Request, _ answer: String) -> Usage {
        func tokens(_ text: String) -> Int {
            var tokens = 0
            for (place, _) in text.utf8.enumerated() where place % 4 == 0 { tokens += 1 }
            return tokens
        }
        var prompt = 3
        for message in request.messages { prompt += 4 + tokens(message.content) }
        return Usage(promptTokens: prompt, completionTokens: tokens(answer))
    }

    private static func completion(_ content: String?, _ finishReason: String, _ model: String, _ number: Int, _ usage: Usage?) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("id", "chatcmpl-\(number)")
            writer.member("object", "chat.completion")
            writer.member("model", model)
            writer.key("choices")
            writer.array { writer in
                writer.object { writer in
                    writer.member("index", 0)
                    writer.key("message")
                    writer.object { writer in
                        writer.member("role", "assistant")
                        writer.member("content", content)
                        writer.member("reasoning_content", "Let me think.")
                    }
                    writer.member("finish_reason", finishReason)
                }
            }
            if let usage {
                writer.key("usage")
                writer.object { writer in
                    writer.member("prompt_tokens", usage.promptTokens)
                    writer.member("completion_tokens", usage.completionTokens)
                    writer.member("total_tokens", usage.promptTokens &+ usage.completionTokens)
                    if let cached = usage.cachedTokens {
                        writer.key("prompt_tokens_details")
                        writer.object { $0.member("cached_tokens", cached) }
                    }
                }
            }
        }
        return writer.text
    }
}
