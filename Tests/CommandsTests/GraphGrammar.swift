// The parts of the grammars of Graphviz and Mermaid that our graphs use, read strictly: whatever else would be read is a mistake.

/// `digraph lineage { node […]; "id" […]; "id" -> "id" […]; }`
enum DotGrammar {
    static func problem(in text: String) -> String? {
        var lines = text.components(separatedBy: "\n")
        guard lines.first == "digraph lineage {", lines.suffix(2) == ["}", ""] else { return "no digraph" }
        lines = Array(lines.dropFirst().dropLast(2))
        guard lines.first == "    node [shape=box];" else { return "no shape" }
        for line in lines.dropFirst() {
            guard let end = statement(line[...]), end.isEmpty else { return line }
        }
        return nil
    }

    private static func statement(_ line: Substring) -> Substring? {
        guard let indented = after("    ", line), var rest = string(indented) else { return nil }
        if let arrow = after(" -> ", rest) {
            guard let target = string(arrow) else { return nil }
            rest = target
        }
        guard let label = after(" [label=", rest), let options = string(label) else { return nil }
        for ending in ["];", ", penwidth=2];", ", style=bold];", ", style=solid];", ", style=dashed];"] where options == ending { return "" }
        return nil
    }

    /// What follows a string: it ends at the first quote that no backslash stands before, and knows \n, \" and \\ only.
    private static func string(_ text: Substring) -> Substring? {
        var scalars = text.unicodeScalars
        guard scalars.popFirst() == "\"" else { return nil }
        while let scalar = scalars.popFirst() {
            switch scalar {
            case "\"": return Substring(scalars)
            case "\\": guard let next = scalars.popFirst(), "n\"\\".unicodeScalars.contains(next) else { return nil }
            case _ where scalar.value < 0x20: return nil
            default: break
            }
        }
        return nil
    }

    static func after(_ prefix: String, _ text: Substring) -> Substring? { text.unicodeScalars.starts(with: prefix.unicodeScalars) ? Substring(text.unicodeScalars.dropFirst(prefix.unicodeScalars.count)) : nil }
}

/// `flowchart TD`, nodes `n0["…"]`, edges `n0 -->|"…"| n1`, one `style`.
enum MermaidGrammar {
    static func problem(in text: String) -> String? {
        let lines = text.components(separatedBy: "\n")
        guard lines.first == "flowchart TD", lines.last == "" else { return "no flowchart" }
        for line in lines.dropFirst().dropLast() {
            let words = line.unicodeScalars.drop { $0 == " " }, id = words.prefix { $0 == "n" || ("0"..."9").contains($0) }, rest = Substring(words.dropFirst(id.count))
            if DotGrammar.after("style n", Substring(words)) != nil { continue }
            guard id.first == "n", id.count > 1 else { return line }
            if let label = DotGrammar.after("[\"", rest), let end = quoted(label), end == "]" { continue }
            guard let label = ["==>", "-->", "-.->"].lazy.compactMap({ DotGrammar.after(" \($0)|\"", rest) }).first, let end = quoted(label), let target = DotGrammar.after("| n", end),
                  target.unicodeScalars.allSatisfy({ ("0"..."9").contains($0) }) else { return line }
        }
        return nil
    }

    /// What follows a text in quotes that holds letters, digits, safe signs, entities and line breaks.
    private static func quoted(_ text: Substring) -> Substring? {
        var rest = text.unicodeScalars
        while let scalar = rest.popFirst() {
            switch scalar {
            case "\"": return Substring(rest)
            case "<": guard let broken = DotGrammar.after("br/>", Substring(rest)) else { return nil }; rest = broken.unicodeScalars
            case "#":
                let digits = rest.prefix { ("0"..."9").contains($0) }
                guard !digits.isEmpty, rest.dropFirst(digits.count).first == ";" else { return nil }
                rest = rest.dropFirst(digits.count + 1)
            case _ where !scalar.isASCII || scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || " /.,-_".unicodeScalars.contains(scalar): continue
            default: return nil
            }
        }
        return nil
    }
}
