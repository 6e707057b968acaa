import Formats

extension ChatRequest {
    /// The request as it is sent: JSON on one line, keys in the order of the alphabet, so that equal questions are equal bytes.
    public var body: String {
        var writer = JSONWriter()
        writer.object { writer in
            writer.member("max_tokens", maximumTokens)
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
