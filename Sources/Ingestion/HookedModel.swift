import Diagnostics
import Tokenization
import Transformer

/// A language model with its tokenizer, to be read at one hook point in contexts of one kind.
package struct HookedModel: Sendable {
    package let model: any LanguageModel
    package let tokenizer: Tokenizer
    package let hook: HookPoint
    /// Numbers a token has at the hook point.
    package let width: Int
    /// Tokens in the longest context, BOS included.
    package let contextLength: Int
    /// The token that begins each context, if one does.
    package let bos: Int32?

    /// Corpus tokens in the longest context.
    package var contextTokens: Int { contextLength - (bos == nil ? 0 : 1) }

    /// Tokens that go through the model at once: enough that products run at full rate, few enough to stay in cache.
    package static let batchTokens = 2048

    /// - Parameters:
    ///   - folder: config.json, model.safetensors, tokenizer.json.
    ///   - contextLength: `nil`: as long as the model can read.
    package init(folder: String, hook: String, contextLength: Int?, prependsBOS: Bool) throws {
        let hook = try HookedModel.hook(named: hook)
        let (tokenizer, model) = try HookedModel.load(folder)
        if let contextLength { try HookedModel.check(contextLength: contextLength, model) }
        try self.init(model, tokenizer, hook, contextLength: contextLength ?? model.shape.contextLength, prependsBOS: prependsBOS)
    }

    /// - Throws: `MonosemeError` where the parts do not fit one another.
    init(_ model: any LanguageModel, _ tokenizer: Tokenizer, _ hook: HookPoint, contextLength: Int, prependsBOS: Bool) throws {
        (self.model, self.tokenizer, self.hook, self.contextLength) = (model, tokenizer, hook, contextLength)
        width = try model.width(at: hook)
        if prependsBOS {
            guard let first = tokenizer.beginningOfSequence else { throw MonosemeError("the tokenizer has no token that begins a text", hint: "use --no-prepend-bos") }
            bos = first
        } else {
            bos = nil
        }
        guard contextTokens > 0 else { throw MonosemeError("a context of \(contextLength) tokens has no room beside the BOS token", hint: "give --context 2 or more") }
    }

    /// Reads the tokenizer first, which is the smaller, then the model.
    static func load(_ folder: String) throws -> (tokenizer: Tokenizer, model: any LanguageModel) {
        let tokenizer = try Tokenizer(path: folder)
        let model = try loadLanguageModel(folder: folder)
        guard tokenizer.vocabularySize <= model.shape.vocabulary else {
            throw MonosemeError("the tokenizer in \(quoted(folder, limit: 400)) has ids up to \(tokenizer.vocabularySize - 1), the model's vocabulary ends at \(model.shape.vocabulary - 1)",
                                hint: "use the tokenizer.json that belongs to the model")
        }
        return (tokenizer, model)
    }

    static func hook(named name: String) throws -> HookPoint {
        // "blocks.L.hook_z" is how some old files call blocks.L.attn.hook_z.
        let name = name.hasSuffix(".hook_z") && !name.hasSuffix(".attn.hook_z") ? name.dropLast(6) + "attn.hook_z" : name
        guard let hook = HookPoint(name) else {
            let sites = HookPoint.Site.allCases.map { "blocks.L.\($0.rawValue)" }.joined(separator: ", ")
            throw MonosemeError("\(quoted(name)) is not a hook point that can be read", hint: "those that can are \(sites)")
        }
        return hook
    }

    static func check(contextLength asked: Int, _ model: any LanguageModel) throws {
        let longest = model.shape.contextLength
        guard asked <= longest else { throw MonosemeError("a context of \(asked) tokens is more than \(quoted(model.name)) can read (\(longest))", hint: "give --context \(longest) or less") }
    }

    /// Contexts in batches of at most `batchTokens` tokens, or of one context where that alone has more. The same contexts
    /// give the same batches.
    /// - Parameter contexts: ranges of `tokens`.
    /// - Returns: each batch with the contexts it holds, by their places.
    package func batches(_ tokens: [Int32], contexts: [Range<Int>]) -> [(batch: ContextBatch, contexts: Range<Int>)] {
        var batches: [(batch: ContextBatch, contexts: Range<Int>)] = []
        var batch = ContextBatch(), first = 0
        for (place, range) in contexts.enumerated() {
            if !batch.tokens.isEmpty, batch.tokens.count + range.count + (bos == nil ? 0 : 1) > HookedModel.batchTokens {
                batches.append((batch, first..<place))
                (batch, first) = (ContextBatch(), place)
            }
            if let bos { batch.append([bos] + tokens[range]) } else { batch.append(tokens[range]) }
        }
        if first < contexts.count { batches.append((batch, first..<contexts.count)) }
        return batches
    }
}
