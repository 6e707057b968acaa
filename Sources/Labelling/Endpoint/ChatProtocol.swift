import Formats

extension ChatRequest {
    /// The request as it is sent: JSON on one line, keys in the order of the alphabet, so that equal questions are equal bytes.
    public var body: String { body(limitName: "max_tokens") }

    /// - Parameter limitName: `max_tokens`, or what an endpoint that no longer knows it wants instead.
    func body(limitName: String) -> String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member(limitName, maximumTokens)
            writer.key("messages")
            writer.array { writer in
                for message in messages {
                    writer.object { writer in
                        writer.member("content", message.content)
                        writer.member("role", message.role.rawValue)
                    }
                }
            }
            writer.member("model", model)
            if let seed { writer.member("seed", seed) }
            writer.member("stream", false)
            writer.member("temperature", temperature)
        }
        return writer.text
    }

    /// The same question for the nth time (from 1): another seed, and some temperature, since without it the answer would be the same whatever the seed.
    func again(_ number: Int) -> ChatRequest {
        var request = self
        request.seed = (seed ?? 0) &+ number
        request.temperature = max(temperature, 0.3)
        return request
    }
}

extension ChatAnswer {
    /// Reads what a server answered with status 200. Fields that only some models have, such as their reasoning, are not looked at.
    ///
    /// - Parameter shown: makes what came from outside fit for a message.
    init(parsing body: [UInt8], from location: String, shown: (String) -> String) throws(ChatFailure) {
        let start = body.first { $0 != 0x20 && $0 != 0x0a && $0 != 0x0d && $0 != 0x09 }
        guard let start else { throw ChatFailure("\(location) answered with nothing", isTransient: true, mayBePaid: true) }
        guard start != UInt8(ascii: "<") else {
            throw ChatFailure("\(location) answered HTML, not JSON: is the path right?", hint: "the address ends in /v1 or /v1/chat/completions for most servers")
        }
        let json: JSON
        do { json = try body.withUnsafeBytes { try JSON(parsing: $0) } } catch {
            // Some models say half a character, and some servers pass it on; the answer is paid for.
            guard let mended = mended(body).withUnsafeBytes({ try? JSON(parsing: $0) }) else { throw ChatFailure("\(location) answered with what is not JSON (\(error)): \(excerpt(body, shown))", isTransient: true, mayBePaid: true) }
            json = mended
        }
        guard let choices = json["choices"]?.array, let message = choices.first?["message"]?.object else {
            // Some servers say with status 200 that they could not.
            if let words = serverMessage(json, shown) { throw ChatFailure("\(location) answered with an error: \(words)") }
            throw ChatFailure("\(location) answered JSON without choices[0].message: \(excerpt(body, shown))", hint: "the endpoint must speak the OpenAI chat-completions protocol")
        }
        switch message["content"] {
        case .string(let text)?: content = text
        case .array(let parts)?: content = parts.compactMap { $0["text"]?.string }.joined()
        default: content = "" // a model that refused, or that came to no answer within its tokens
        }
        let usage = json["usage"]
        promptTokens = ChatAnswer.count(usage?["prompt_tokens"])
        completionTokens = ChatAnswer.count(usage?["completion_tokens"])
        cachedTokens = ChatAnswer.count(usage?["prompt_tokens_details"]?["cached_tokens"])
        finishReason = choices.first?["finish_reason"]?.string
    }

    /// A number of tokens that can be one.
    private static func count(_ value: JSON?) -> Int? { value?.integer.flatMap { 0...1_000_000_000 ~= $0 ? $0 : nil } }
}

/// `json` with U+FFFD for what is not UTF-8 and for half a pair of surrogates.
private func mended(_ json: [UInt8]) -> [UInt8] {
    var bytes = Array(String(decoding: json, as: UTF8.self).utf8), at = 0
    func unit(_ place: Int) -> UInt32? {
        guard place + 6 <= bytes.count, bytes[place] == UInt8(ascii: "\\"), bytes[place + 1] == UInt8(ascii: "u") else { return nil }
        return UInt32(String(decoding: bytes[place + 2..<place + 6], as: UTF8.self), radix: 16)
    }
    while at < bytes.count {
        guard bytes[at] == UInt8(ascii: "\\") else { at += 1; continue }
        guard let first = unit(at), 0xd800...0xdfff ~= first else { at += 2; continue }
        if first < 0xdc00, let second = unit(at + 6), 0xdc00...0xdfff ~= second { at += 12; continue }
        bytes.replaceSubrange(at + 2..<at + 6, with: "fffd".utf8)
        at += 6
    }
    return bytes
}

/// What a server says of its own failure.
func serverMessage(_ json: JSON, _ shown: (String) -> String) -> String? {
    (json["error"]?["message"]?.string ?? json["error"]?.string ?? json["message"]?.string ?? json["detail"]?.string).map(shown)
}

/// The beginning of a body.
func excerpt(_ body: [UInt8], _ shown: (String) -> String) -> String { shown(String(decoding: body.prefix(1 << 20), as: UTF8.self)) }
