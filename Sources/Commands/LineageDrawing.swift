import FeatureCatalogue

/// A family as a graph for programs that draw graphs.
///
/// Names, labels and tokens come from outside: nothing in them may end a string, begin a directive or turn the direction of writing.
struct LineageDrawing {
    let family: LineageFamily

    init(_ family: LineageFamily) { self.family = family }

    /// The lines of a feature's box; right-to-left text has one of its own, so that it reorders nothing else.
    private func lines(of member: LineageMember) -> [String] {
        let label = member.label ?? member.suggestions.first.map { "≈ " + $0.words }
        let tokens = member.topTokens.map { "‘\($0)’" }.joined(separator: " ")
        return [member.feature.description, label, tokens.isEmpty ? nil : tokens, member.topic?.words].compactMap { $0 }.map { truncated($0, width: 60) }
    }

    private func words(of edge: LineageEdge) -> String { "\(edge.kind.shortWords) \(NumberFormat.fixed(2).text(edge.confidence))" }

    /// For Graphviz: solid and thick is asserted, solid likely, dashed a candidate.
    var dot: String {
        func string(_ lines: [String]) -> String {
            // By scalar: to Swift, a quote and a mark behind it are one character.
            "\"" + lines.map { $0.unicodeScalars.reduce(into: "") { $0 += $1 == "\"" || $1 == "\\" ? "\\\($1)" : "\($1)" } }.joined(separator: "\\n") + "\""
        }
        var text = "digraph lineage {\n    node [shape=box];\n"
        for member in family.members {
            text += "    \(string([member.feature.description])) [label=\(string(lines(of: member)))\(member.relation == .itself ? ", penwidth=2" : "")];\n"
        }
        for edge in family.edges {
            let style = switch edge.tier {
            case .asserted: "bold"
            case .likely: "solid"
            case .candidate: "dashed"
            }
            text += "    \(string([edge.parent.description])) -> \(string([edge.child.description])) [label=\(string([words(of: edge)])), style=\(style)];\n"
        }
        return text + "}\n"
    }

    /// For Mermaid: thick, thin and dotted arrows.
    var mermaid: String {
        // Its own entities for all that could mean something to it: quotes, brackets, backticks, # and %.
        func string(_ lines: [String]) -> String {
            "\"" + lines.map { line in
                line.unicodeScalars.reduce(into: "") { text, scalar in
                    let isSafe = !scalar.isASCII || scalar.properties.isAlphabetic || ("0"..."9").contains(scalar) || " /.,-_".unicodeScalars.contains(scalar)
                    if isSafe { text.unicodeScalars.append(scalar) } else { text += "#\(scalar.value);" }
                }
            }.joined(separator: "<br/>") + "\""
        }
        let places = Dictionary(uniqueKeysWithValues: family.members.enumerated().map { ($1.feature, $0) })
        var text = "flowchart TD\n"
        for (place, member) in family.members.enumerated() { text += "    n\(place)[\(string(lines(of: member)))]\n" }
        for edge in family.edges {
            guard let parent = places[edge.parent], let child = places[edge.child] else { continue }
            let arrow = switch edge.tier {
            case .asserted: "==>"
            case .likely: "-->"
            case .candidate: "-.->"
            }
            text += "    n\(parent) \(arrow)|\(string([words(of: edge)]))| n\(child)\n"
        }
        if let place = places[family.feature] { text += "    style n\(place) stroke-width:3px\n" }
        return text
    }
}
