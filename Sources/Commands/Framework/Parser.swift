import Diagnostics

/// The typed values of one command line.
struct ParameterValues: Sendable {
    fileprivate var values: [String: any Sendable] = [:]
    fileprivate var given: Set<String> = []

    subscript<P: Parameter>(parameter: P) -> P.Value {
        guard let value = values[parameter.name] as? P.Value else {
            preconditionFailure("\(parameter.name) is not among the command's parameters")
        }
        return value
    }

    /// Whether the command line names the parameter, rather than leaving it to its default.
    func isGiven(_ parameter: some Parameter) -> Bool { given.contains(parameter.name) }
}

/// Reads `words` as a command line for `parameters`.
///
/// `--name value`, `--name=value`, `-k value`, `-kvalue`; `--` ends the options; a lone `-` and a negative number are
/// values. Errors: `UsageError`, for the first thing that is wrong.
func parse(_ words: [String], parameters: [any Parameter], environment: Environment) throws -> ParameterValues {
    var parser = Parser(words: words, parameters: parameters)
    try parser.sort()
    var values = ParameterValues()
    for (parameter, found) in zip(parameters, parser.found) {
        values.values[parameter.name] = try parameter.value(from: found, environment: environment)
        if !found.isEmpty { values.given.insert(parameter.name) }
    }
    return values
}

/// Whether `word` names an option, rather than being a value: `-` stands for standard input, `-3` is a number.
func isOptionName(_ word: String) -> Bool {
    guard word.utf8.count > 1, word.utf8.first == UInt8(ascii: "-") else { return false }
    let rest = word.utf8.dropFirst()
    let digits = rest.first == UInt8(ascii: ".") ? rest.dropFirst() : rest
    return !(digits.first.map { $0 >= 0x30 && $0 <= 0x39 } ?? false)
}

/// Sorts the words of a command line by the parameters they belong to.
private struct Parser {
    let words: [String]
    let parameters: [any Parameter]
    /// One list for each parameter.
    var found: [[Occurrence]]
    private var named: [String: (index: Int, form: ParameterForm)] = [:]
    /// The arguments, in order of declaration.
    private var arguments: [(index: Int, form: ParameterForm)] = []
    private var at = 0
    private var optionsEnded = false

    init(words: [String], parameters: [any Parameter]) {
        self.words = words
        self.parameters = parameters
        found = Array(repeating: [], count: parameters.count)
        for (index, parameter) in parameters.enumerated() {
            for form in parameter.forms {
                if form.isPositional { arguments.append((index, form)) }
                for name in form.names { named[name] = (index, form) }
            }
        }
    }

    mutating func sort() throws {
        var loose: [String] = []
        while at < words.count {
            let word = words[at]
            at += 1
            if optionsEnded || !isOptionName(word) {
                loose.append(word)
            } else if word == "--" {
                optionsEnded = true
            } else {
                try option(word)
            }
        }
        try fill(loose)
    }

    private mutating func option(_ word: String) throws {
        var name = word
        var attached: String?
        if word.hasPrefix("--") {
            if let equals = word.firstIndex(of: "=") {
                name = String(word[..<equals])
                attached = String(word[word.index(after: equals)...])
            }
        } else if named[word] == nil, named[String(word.prefix(2))] != nil {
            name = String(word.prefix(2))
            let rest = word.dropFirst(2)
            attached = String(rest.first == "=" ? rest.dropFirst() : rest)
        }
        guard let (index, form) = named[name] else {
            let near = nearest(to: name, among: parameters.flatMap(\.forms).flatMap(\.names) + ["--help"])
            throw UsageError("unknown option \(quoted(name))", hint: near.map { "did you mean \($0)?" })
        }
        switch form.intake {
        case .nothing:
            if attached != nil { throw UsageError("\(name) takes no value, found \(quoted(word))") }
            found[index].append(Occurrence(name: name, text: ""))
        case .one, .several, .positional:
            if let attached {
                found[index].append(Occurrence(name: name, text: attached))
            } else {
                found[index].append(Occurrence(name: name, text: try valueAfter(name, form)))
            }
            while form.intake == .several, at < words.count, !isOptionName(words[at]) {
                found[index].append(Occurrence(name: name, text: words[at]))
                at += 1
            }
        }
    }

    private mutating func valueAfter(_ name: String, _ form: ParameterForm) throws -> String {
        let shape = "\(name) \(form.placeholder)"
        guard at < words.count else { throw UsageError("\(name) needs a value: \(shape)") }
        let word = words[at]
        // An option where a value belongs is nearly always a forgotten value; `--name=--odd` remains for the rest.
        guard !isOptionName(word) else {
            throw UsageError("\(name) needs a value: \(shape), found \(quoted(word))", hint: "write \(name)=\(word) if that is the value")
        }
        at += 1
        return word
    }

    private mutating func fill(_ loose: [String]) throws {
        var rest = loose[...]
        for (index, form) in arguments {
            let count = form.isRepeatable ? rest.count : min(1, rest.count)
            found[index] = rest.prefix(count).map { Occurrence(name: form.placeholder, text: $0) }
            rest = rest.dropFirst(count)
        }
        guard let extra = rest.first else { return }
        let hint = switch arguments.count {
        case 0: "this command takes options only"
        case 1: "one \(arguments[0].form.placeholder) is all it takes"
        default: "it takes " + arguments.map(\.form.placeholder).joined(separator: " ")
        }
        throw UsageError("unexpected argument \(quoted(extra))", hint: hint)
    }
}
