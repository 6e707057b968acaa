import DictionaryLearning
import FeatureCatalogue
import Foundation
import LineageSupport

// dump FAMILY RECIPE k=v,… SEED STEPS BATCH OUT.csv
let a = CommandLine.arguments
let shapes: [String: HierarchicalWorld.Shape] = [
    "H1": .init(roots: 8, children: 4, grandchildren: 2, width: 64),
    "H1n": .init(roots: 8, children: 4, grandchildren: 2, isExclusive: false, width: 64),
    "H1b": .init(roots: 10, children: 3, grandchildren: 2, width: 64),
    "H1c": .init(roots: 8, children: 4, grandchildren: 1, isExclusive: false, width: 64),
    "H2": .init(roots: 6, children: 3, grandchildren: 3, isExclusive: false, width: 48),
    "H3": .init(roots: 12, children: 5, grandchildren: 1, width: 96),
    "H4": .init(roots: 7, children: 3, grandchildren: 3, width: 56),
    "H5": .init(roots: 9, children: 4, grandchildren: 2, isExclusive: false, width: 80),
]
var plan = TrainedWorld.Plan(recipe: a[2], settings: Dictionary(uniqueKeysWithValues: a[3].split(separator: ",").filter { $0 != "-" }.map { let p = $0.split(separator: "="); return (String(p[0]), String(p[1])) }))
plan.steps = Int(a[5])!; plan.batchSize = Int(a[6])!
let start = Date()
let world = try TrainedWorld(shapes[a[1]]!, plan, seed: UInt64(a[4])!)
let trained = Date()
let nodes = world.versions.map { RecoveredNodes.of($0, nodes: world.nodes) }
var text = ""
for (i, j) in [(0, 1), (1, 2), (0, 2)] {
    let plain = PlainLineage(world.versions[i], world.versions[j])
    for p in 0..<plain.coarse {
        for c in 0..<plain.fine {
            guard let np = nodes[i][p], let nc = nodes[j][c] else { continue }
            let e = plain[p, c], truth = world.shape.holds(np, nc) ? 1 : 0
            let n: [String] = [a[1], a[2], a[4], "\(i)\(j)"] + [p, c, np, nc, truth, e.parentFirings, e.childFirings, e.together!, e.tokens!].map { String($0) }
            let d = [e.massCoverage!, e.maskedCosine!, e.activationCorrelation!, e.decoderCosine!, e.containment ?? 0].map { String(format: "%.5f", $0) }
            let tier = LineageRule.tier(e).map { "\($0)" } ?? "none"
            text += (n + d + [tier]).joined(separator: ",") + "\n"
        }
    }
}
try text.write(toFile: a[7], atomically: true, encoding: .utf8)
let distinct = nodes.map { Set($0.compactMap { $0 }).count }, alive = nodes.map { $0.filter { $0 != nil }.count }
print(a[1], a[2], a[3], "seed", a[4], "L0", world.l0.map { String(format: "%.2f", $0) }, "recovered", alive, "distinct", distinct, String(format: "%.1f + %.1f s", trained.timeIntervalSince(start), Date().timeIntervalSince(trained)))
