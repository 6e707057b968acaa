import Diagnostics
import Formats
import Glibc

/// How a corpus is to be read.
public struct CorpusOptions: Sendable {
    /// Files (JSONL, text; `.gz` and `.zst` of these), folders, or `-` for standard input.
    public var paths: [String]
    /// Members of a JSONL line, with dots for members of members.
    public var textField = "text"
    public var topicField = "meta.pile_set_name"
    /// Stop at the first line that cannot be read, instead of counting it.
    public var isStrict = false
    public var tokenLimit: Int?

    public init(paths: [String]) { self.paths = paths }

    /// The file's name, or how many sources there are.
    var name: String { paths.count == 1 ? paths[0].split(separator: "/").last.map(String.init) ?? paths[0] : "\(paths.count) sources" }
}

/// One document as it comes from a corpus.
public struct SourceDocument: Sendable {
    public let text: [UInt8]
    public let topic: String
    /// The file it came from, by its path as given.
    public let source: String
    /// In a JSONL source, from 1.
    public let line: Int?
}

/// Reads a corpus document by document; memory does not grow with it.
///
/// A JSONL line is one document. A text file is one document, or several parted by `<|endoftext|>`; pieces of more than
/// 16 MB are parted at a line break. In a folder, files are read in order of their paths and the topic of a text file is
/// the folder that holds it.
public final class CorpusReader {
    /// The topic of a document that names none.
    public static let noTopic = "(no topic)"
    static let lineLimit = 1 << 28
    static let pieceLimit = 1 << 24

    private let options: CorpusOptions
    private let allFiles: [File]
    /// Those still to be read, the next one last.
    private var files: [File]
    private var current: (source: ByteSource, file: File, isJSONL: Bool)?
    private var line = 0
    private var pending: [SourceDocument] = []
    private let warn: (String) -> Void

    /// Lines that could not be read.
    public private(set) var malformedLines = 0

    struct File { let path: String; let topic: String }

    /// - Parameter warn: is told of each line that is skipped (the first ten), with its number and what is wrong.
    public init(_ options: CorpusOptions, warn: @escaping (String) -> Void = { _ in }) throws {
        self.options = options
        self.warn = warn
        allFiles = try options.paths.flatMap { try CorpusReader.files(at: $0) }
        files = allFiles.reversed()
        guard !allFiles.isEmpty else { throw MonosemeError("the corpus \(options.paths.map { quoted($0, limit: 400) }.joined(separator: ", ")) holds no files", hint: "give JSONL or text files, or a folder of them") }
    }

    private static func files(at path: String) throws -> [File] {
        if path == "-" { return [File(path: "-", topic: noTopic)] }
        switch kind(of: path) {
        case .missing: throw MonosemeError("there is no corpus at \(quoted(path, limit: 400))", hint: "check the path, or give - for standard input")
        case .file, .other: return [File(path: path, topic: stem(of: path))]
        case .folder: return try walk(path, topic: lastComponent(of: path), inside: [])
        }
    }

    /// - Parameter inside: the folders this one lies in, so that a link back to one of them is not followed forever.
    private static func walk(_ folder: String, topic: String, inside: [[UInt64]]) throws -> [File] {
        var status = stat()
        guard stat(folder, &status) == 0, case let identity = [UInt64(status.st_dev), UInt64(status.st_ino)], !inside.contains(identity) else { return [] }
        return try contents(ofFolder: folder).flatMap { name -> [File] in
            let path = folder.hasSuffix("/") ? folder + name : folder + "/" + name
            switch kind(of: path) {
            case .folder: return try walk(path, topic: name, inside: inside + [identity])
            case .file: return [File(path: path, topic: topic)]
            case .missing, .other: return []
            }
        }
    }

    private static func lastComponent(of path: String) -> String {
        path.split(separator: "/").last { $0 != "." }.map(String.init) ?? path
    }

    private static func stem(of path: String) -> String {
        String(lastComponent(of: path).split(separator: ".").first ?? "text")
    }

    private static func isJSONL(_ path: String) -> Bool {
        var name = path[...]
        for ending in [".gz", ".zst"] where name.hasSuffix(ending) { name = name.dropLast(ending.count) }
        return [".jsonl", ".ndjson", ".json"].contains { name.hasSuffix($0) }
    }

    /// What decides which text is read: the digests of the files in order, and the options. Standard input cannot be read twice
    /// and is known by its name alone.
    public func fingerprint() throws -> String {
        var hash = SHA256()
        hash.update("text \(options.textField)\ntopic \(options.topicField)\nlimit \(options.tokenLimit.map(String.init) ?? "none")\n")
        for file in allFiles {
            if file.path == "-" { hash.update("standard input\n"); continue }
            let digest = try MappedFile(file.path).withBytes { SHA256.digest(of: $0) }
            hash.update("\(hexadecimal(digest)) \(CorpusReader.isJSONL(file.path) ? "jsonl" : "text " + file.topic)\n")
        }
        return hexadecimal(hash.finalize())
    }

    /// Bytes of all files as they lie on disk, for progress; `nil` where standard input is among them.
    public var bytesOnDisk: Int? {
        var total = 0
        for file in allFiles {
            var status = stat()
            guard file.path != "-", stat(file.path, &status) == 0 else { return nil }
            total += Int(status.st_size)
        }
        return total
    }

    /// The next document, or `nil` at the end.
    public func next() throws -> SourceDocument? {
        while true {
            if let document = pending.popLast() { return document }
            if current == nil {
                guard let file = files.popLast() else { return nil }
                let source = try ByteSource(file.path)
                let isJSONL = try file.path == "-" ? source.peek() == UInt8(ascii: "{") : CorpusReader.isJSONL(file.path)
                current = (source, file, isJSONL)
                line = 0
            }
            let (source, file, isJSONL) = current!
            if isJSONL {
                guard let (bytes, isWhole) = try source.line(limit: CorpusReader.lineLimit) else { current = nil; continue }
                line += 1
                if let document = try document(fromLine: bytes, isWhole: isWhole, file, source.name) { return document }
            } else {
                guard let piece = try source.piece(limit: CorpusReader.pieceLimit) else { current = nil; continue }
                pending = CorpusReader.parts(of: piece).reversed().map { SourceDocument(text: $0, topic: file.topic, source: source.name, line: nil) }
            }
        }
    }

    private func document(fromLine bytes: [UInt8], isWhole: Bool, _ file: File, _ source: String) throws -> SourceDocument? {
        guard isWhole else { return try skip("longer than \(CorpusReader.lineLimit >> 20) MB", source) }
        if bytes.allSatisfy({ $0 == 0x20 || $0 == 0x09 }) { return nil }
        let json: JSON
        do throws(JSONError) {
            let result: Result<JSON, JSONError> = bytes.withUnsafeBytes { raw in
                do throws(JSONError) { return .success(try JSON(parsing: raw)) } catch { return .failure(error) }
            }
            json = try result.get()
        } catch { return try skip("not JSON (\(error))", source) }
        guard json.object != nil else { return try skip("\(json.kind) instead of an object", source) }
        guard let text = CorpusReader.member(options.textField, of: json) else { return try skip("no member \(quoted(options.textField))", source) }
        guard let text = text.string else { return try skip("the member \(quoted(options.textField)) is \(text.kind), not a string", source) }
        return SourceDocument(text: Array(text.utf8), topic: topic(of: json), source: source, line: line)
    }

    private func topic(of json: JSON) -> String {
        switch CorpusReader.member(options.topicField, of: json) {
        case .string(let name)?: name.isEmpty ? CorpusReader.noTopic : name
        case .unsigned(let n)?: String(n)
        case .negative(let n)?: String(n)
        case .bool(let b)?: String(b)
        default: CorpusReader.noTopic
        }
    }

    /// `a.b` of an object. Some mirrors of The Pile keep `meta` as a string that holds an object, in JSON's or in Python's
    /// writing; we look into that too.
    static func member(_ path: String, of json: JSON) -> JSON? {
        if let whole = json[path] { return whole }
        var value = json
        for part in path.split(separator: ".") {
            if case .string(let text) = value, let first = text.utf8.first, first == UInt8(ascii: "{") {
                guard let inner = (try? JSON(parsing: text)) ?? (try? JSON(parsing: String(text.map { $0 == "'" ? "\"" : $0 }))) else { return nil }
                value = inner
            }
            guard let next = value[String(part)] else { return nil }
            value = next
        }
        return value
    }

    private func skip(_ problem: String, _ source: String) throws -> SourceDocument? {
        malformedLines += 1
        let message = "\(quoted(source, limit: 400)) line \(line): \(problem)"
        if options.isStrict { throw MonosemeError(message, hint: "mend the line, or leave out --strict to skip such lines") }
        if malformedLines <= 10 { warn(message + "; skipped") }
        if malformedLines == 11 { warn("more lines like these are skipped without a word; the count follows") }
        return nil
    }

    /// Text parted at `<|endoftext|>`, pieces of nothing but white space left out.
    static func parts(of text: [UInt8]) -> [[UInt8]] {
        let mark = Array("<|endoftext|>".utf8)
        var parts: [[UInt8]] = []
        var start = 0, at = 0
        while at + mark.count <= text.count {
            guard let bar = text[at...].firstIndex(of: mark[0]), bar + mark.count <= text.count else { break }
            guard text[bar..<bar + mark.count].elementsEqual(mark) else { at = bar + 1; continue }
            parts.append(Array(text[start..<bar]))
            at = bar + mark.count
            start = at
        }
        parts.append(Array(text[start...]))
        return parts.filter { part in part.contains { $0 != 0x20 && $0 != 0x0a && $0 != 0x0d && $0 != 0x09 } }
    }
}
