public import FeatureCatalogue
public import Formats

extension LineageEdge {
    /// Writes the edge with all its evidence as one JSON object: `edge` in Export.schema.json.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("parent", parent.description)
            writer.member("child", child.description)
            writer.member("kind", kind.rawValue)
            writer.member("tier", tier.rawValue)
            writer.member("confidence", confidence)
            writer.member("coverage", evidence.coverage)
            writer.member("coverage_low", evidence.coverageLow)
            writer.member("keep", evidence.keep)
            writer.member("mass_coverage", evidence.massCoverage)
            writer.member("mass_coverage_low", massCoverageLow)
            writer.member("mass_keep", evidence.massKeep)
            writer.member("masked_cosine", evidence.maskedCosine)
            writer.member("activation_correlation", evidence.activationCorrelation)
            writer.member("decoder_cosine", evidence.decoderCosine)
            writer.member("containment", evidence.containment)
            writer.member("weight", weight)
            writer.member("share", share)
            writer.member("parent_firings", evidence.parentFirings)
            writer.member("child_firings", evidence.childFirings)
            writer.member("firings_together", evidence.together)
        }
    }
}

extension LineageNode {
    /// Writes what is said of the feature by itself in one lineage: `lineage_fact` in Export.schema.json.
    public func write(in lineage: Lineage, to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("parent_dictionary", lineage.coarse.name.description)
            writer.member("child_dictionary", lineage.fine.name.description)
            writer.member("kind", kind?.rawValue)
            writer.member("children", children)
            writer.member("union_coverage", unionCoverage)
            writer.member("explained", explained)
            writer.member("best_coverage", bestCoverage)
            writer.member("best_cosine", bestCosine)
        }
    }
}

extension LabelSuggestion {
    /// Writes the suggestion as one JSON object: `label_suggestion` in Export.schema.json.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("label", label)
            writer.member("source", source.description)
            writer.member("kind", kind.rawValue)
            writer.member("tier", tier.rawValue)
            writer.member("confidence", confidence)
            writer.member("steps", steps)
        }
    }
}

extension LineageFamily {
    /// Writes members and edges as one JSON object, in their order.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("feature", feature.description)
            writer.key("features")
            writer.array { writer in for member in members { member.write(to: &writer) } }
            writer.key("edges")
            writer.array { writer in for edge in edges { edge.write(to: &writer) } }
        }
    }
}

extension LineageMember {
    func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("feature", feature.description)
            writer.member("dictionary", feature.dictionary.description)
            writer.member("index", feature.index)
            writer.member("relation", relation.rawValue)
            writer.member("label", label)
            writer.key("label_suggestions")
            writer.array { writer in for suggestion in suggestions { suggestion.write(to: &writer) } }
            writer.member("firings", firings)
            writer.member("tokens", tokens)
            writer.key("top_tokens")
            writer.array { writer in for token in topTokens { writer.value(token) } }
            writer.key("topic")
            if let topic {
                writer.object { writer in
                    writer.member("topic", topic.name)
                    writer.member("share", topic.share)
                    writer.member("lift", topic.lift)
                }
            } else {
                writer.null()
            }
            writer.key("parents")
            writer.array { writer in for parent in parents { writer.value(parent.description) } }
            writer.key("facts")
            writer.array { writer in for (lineage, node) in facts { node.write(in: lineage, to: &writer) } }
        }
    }
}
