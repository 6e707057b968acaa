public import FeatureCatalogue
public import Formats

extension FeatureReport {
    /// Writes the report as one JSON object: members of an element of `features` in Export.schema.json, with the labels' own words only.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writeMembers(to: &writer, TokenSpellings()) { writer in
                writer.key("labels")
                writer.array { writer in
                    for label in labels {
                        writer.object { writer in
                            writer.member("text", label.text)
                            writer.member("author", label.author)
                            writer.member("created_at", label.createdAt)
                        }
                    }
                }
            }
            writer.member("label_status", label?.status.rawValue)
            writer.key("label_scores")
            writer.array { writer in
                for score in labelScores {
                    writer.object { writer in
                        writer.member("method", score.method)
                        writer.member("judge", score.judge)
                        writer.member("value", score.value)
                        writer.member("low", score.low)
                        writer.member("high", score.high)
                        writer.member("is_stale", score.isStale)
                    }
                }
            }
        }
    }

    /// The members of the report.
    /// - Parameter writeLabels: writes what is to stand for the labels.
    func writeMembers(to writer: inout JSONWriter, _ spellings: TokenSpellings, _ writeLabels: (inout JSONWriter) throws -> Void) rethrows {
        writer.member("feature", overview.name.description)
        writer.member("index", overview.name.index)
        writer.member("label", overview.label)
        writer.member("status", overview.status.rawValue)
        writeStatistics(&writer)
        try writeLabels(&writer)
        writer.key("top_tokens")
        writer.array { writer in
            for token in tokens {
                writer.object { writer in
                    writer.member("id", token.id)
                    writer.member("text", token.text)
                    writer.member("firings", token.firings)
                    writer.member("sum", token.sum)
                }
            }
        }
        writer.key("logits")
        writer.object { writer in
            for (key, logits) in [("raised", raisedLogits), ("lowered", loweredLogits)] {
                writer.key(key)
                writer.array { writer in
                    for logit in logits {
                        writer.object { writer in
                            writer.member("id", logit.id)
                            writer.member("text", logit.text)
                            writer.member("value", logit.value)
                        }
                    }
                }
            }
        }
        writer.key("neurons")
        writer.object { writer in
            for (key, neurons) in [("by_weight", neuronsByWeight), ("by_correlation", neuronsByCorrelation)] {
                writer.key(key)
                writer.array { writer in
                    for neuron in neurons {
                        writer.object { writer in
                            writer.member("index", neuron.index)
                            writer.member("value", neuron.value)
                        }
                    }
                }
            }
        }
        writer.key("topics")
        writer.array { writer in for topic in topics { topic.write(to: &writer) } }
        writer.key("examples")
        writer.array { writer in for example in examples { example.write(to: &writer, spellings) } }
        writer.key("intervals")
        writer.array { writer in
            for interval in intervals {
                writer.object { writer in
                    writer.member("centre", interval.centre)
                    writer.member("firings", interval.firings)
                    writer.key("samples")
                    writer.array { writer in for example in interval.samples { example.write(to: &writer, spellings) } }
                }
            }
        }
        writer.key("quantiles")
        writer.array { writer in
            for quantile in quantiles {
                writer.object { writer in
                    writer.member("lowest", quantile.lowest)
                    writer.member("highest", quantile.highest)
                    writer.member("firings", quantile.firings)
                    writer.key("samples")
                    writer.array { writer in for example in quantile.samples { example.write(to: &writer, spellings) } }
                }
            }
        }
        writer.key("nearest")
        writer.array { writer in
            for neighbour in neighbours {
                writer.object { writer in
                    writer.member("feature", neighbour.feature.description)
                    writer.member("cosine", neighbour.cosine)
                    writer.member("label", neighbour.label)
                    writer.member("density", neighbour.density)
                    writer.member("top_token", neighbour.topToken)
                }
            }
        }
        writer.key("lineage")
        writer.object { writer in
            for (key, edges) in [("parents", lineage.parents), ("children", lineage.children)] {
                writer.key(key)
                writer.array { writer in for edge in edges { edge.write(to: &writer) } }
            }
            writer.key("facts")
            writer.array { writer in for (lineage, node) in lineage.facts { node.write(in: lineage, to: &writer) } }
        }
        writer.key("label_suggestions")
        writer.array { writer in for suggestion in labelSuggestions { suggestion.write(to: &writer) } }
    }

    private func writeStatistics(_ writer: inout JSONWriter) {
        writer.key("statistics")
        writer.object { writer in
            writer.member("tokens", overview.tokens)
            writer.member("firings", statistics.firings)
            writer.member("density", overview.density)
            writer.member("stated_density", statedDensity)
            writer.member("documents", statistics.documents)
            writer.member("sum", statistics.sum)
            writer.member("sum_of_squares", statistics.sumOfSquares)
            writer.member("maximum", statistics.maximum)
            writer.member("maximum_position", statistics.maximumPosition)
            writer.member("last_position", statistics.lastPosition)
            writer.member("mean_when_active", overview.meanWhenActive)
            writer.member("decoder_norm", overview.decoderNorm)
            writer.member("activation_scale", overview.activationScale)
            writer.member("encoder_decoder_cosine", overview.encoderDecoderCosine)
            writer.member("kept_firings", keepTop.map { min($0, statistics.firings) } ?? statistics.histogram.total)
            writer.key("histogram")
            // Bin i holds 2^((first + i) / 4) ≤ activation < 2^((first + i + 1) / 4).
            writer.object { writer in
                writer.member("first", statistics.histogram.first)
                writer.key("counts")
                writer.array { writer in for count in statistics.histogram.counts { writer.value(count) } }
            }
        }
    }
}

extension FeatureReport.Example {
    func write(to writer: inout JSONWriter, _ spellings: TokenSpellings) {
        writer.object { writer in
            writer.member("activation", activation)
            writer.member("position", position)
            writer.member("document", document.ordinal)
            writer.member("position_in_document", position - document.firstPosition)
            writer.member("topic", document.topic)
            writer.key("text")
            writer.value(writtenBy: { out in spellings.appendText(window, to: &out) })
            writer.key("token_ids")
            writer.value(window.tokens)
            writer.key("tokens")
            if writer.isIndented {
                writer.array { writer in for bytes in window.spellings { writer.value(String(decoding: bytes, as: UTF8.self)) } }
            } else {
                writer.value(writtenBy: { out in spellings.append(window, to: &out) })
            }
            writer.key("activations")
            writer.value(activations)
            writer.member("focus", window.focus)
        }
    }
}

extension TopicRate {
    /// Writes the rate as one JSON object.
    public func write(to writer: inout JSONWriter) {
        writer.object { writer in
            writer.member("topic", topic)
            writer.member("firings", firings)
            writer.member("topic_tokens", topicTokens)
            writer.member("rate", rate)
            writer.member("share", share)
            writer.member("lift", lift)
            writer.member("log_odds", logOdds)
            writer.member("mean_when_active", meanWhenActive)
            writer.member("sum", sum)
            writer.member("maximum", maximum)
            writer.member("documents_firing", documentsFiring)
            writer.member("topic_documents", topicDocuments)
            writer.member("mass_specificity", massSpecificity)
            writer.member("z", z)
            writer.member("q", q)
            writer.member("auroc", auroc)
            writer.key("detector")
            if let detector {
                writer.object { writer in
                    writer.member("threshold", detector.threshold)
                    writer.member("precision", detector.precision)
                    writer.member("recall", detector.recall)
                    writer.member("f1", detector.f1)
                }
            } else {
                writer.null()
            }
        }
    }
}
