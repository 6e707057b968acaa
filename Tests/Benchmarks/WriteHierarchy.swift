import Diagnostics
import FeatureCatalogue
import LineageSupport

/// Trains dictionaries of three sizes on a planted hierarchy and writes, as CSV, the evidence of every pair of features that have both recovered a node,
/// with whether the parent's node holds the child's: what `Fixtures/making/lineage_confidence.py` fits and judges.
///
/// - Parameter shape: roots, children, grandchildren, flat nodes and width, as "8,4,2,16,64".
func lineageEvidence(_ shape: String, isExclusive: Bool, recipe: String, seed: UInt64, settings: [String]) throws -> String {
    let numbers = shape.split(separator: ",").compactMap { Int($0) }
    guard numbers.count == 5 else { throw MonosemeError("a shape is five numbers, such as 8,4,2,16,64") }
    let pairs = settings.map { $0.split(separator: "=", maxSplits: 1).map(String.init) }
    guard pairs.allSatisfy({ $0.count == 2 }) else { throw MonosemeError("a setting is CONSTANT=VALUE") }
    let world = try TrainedWorld(
        HierarchicalWorld.Shape(roots: numbers[0], children: numbers[1], grandchildren: numbers[2], isExclusive: isExclusive, flat: numbers[3], width: numbers[4]),
        TrainedWorld.Plan(recipe: recipe, settings: Dictionary(uniqueKeysWithValues: pairs.map { ($0[0], $0[1]) })), seed: seed)
    var lines = ["coarse,fine,parent,child,truth,tokens,parent_firings,child_firings,together,mass_coverage,mass_keep,effective_firings,masked_cosine,activation_correlation,decoder_cosine,containment,tier"]
    for pair in world.pairs {
        for (parent, child) in pair.recovered {
            let evidence = pair.plain[parent, child]
            let counts: [Int] = [pair.coarse, pair.fine, parent, child, pair.isTrue(parent, child) ? 1 : 0, evidence.tokens!, evidence.parentFirings, evidence.childFirings, evidence.together!]
            let reals: [Double] = [evidence.massCoverage!, evidence.massKeep!, evidence.effectiveFirings!, evidence.maskedCosine!, evidence.activationCorrelation!, evidence.decoderCosine!, evidence.containment ?? 0]
            lines.append((counts.map(String.init) + reals.map { "\(Float($0))" } + [LineageRule.tier(evidence)?.rawValue ?? ""]).joined(separator: ","))
        }
    }
    return lines.joined(separator: "\n")
}
