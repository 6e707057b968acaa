import Analyses
import FeatureCatalogue
import Formats
import Glibc
import LinearAlgebra
import Numerics

/// Builds the lineage between two versions of a catalogue, in a copy of it that is gone afterwards. One line of JSON; times are of the wall.
func measureLineage(_ catalogue: String, from coarse: String, to fine: String, threads: Int) throws -> String {
    let store = try Catalogue(path: catalogue, for: .writing)
    let names = try (DictionaryName(parsing: coarse), DictionaryName(parsing: fine))
    let (a, b) = (try store.dictionary(named: names.0), try store.dictionary(named: names.1))
    let start = Usage.now
    var judged = start, features = 0
    let summary = try store.buildLineage(from: a, to: b, threads: threads, engine: "benchmark", now: { "2026-01-01T00:00:00Z" }, warn: { _ in }) { progress in
        if progress.featuresDone > features { (features, judged) = (progress.featuresDone, Usage.now) }
    }
    let end = Usage.now
    var writer = JSONWriter()
    writer.object { writer in
        writer.member("what", "lineage from \(coarse) to \(fine), \(threads) thread\(threads == 1 ? "" : "s")")
        writer.member("was_complete", summary.wasComplete)
        writer.member("wall_s", end.wall - start.wall)
        writer.member("cpu_s", end.cpu - start.cpu)
        writer.member("judging_wall_s", judged.wall - start.wall)
        writer.member("peak_mb", end.memoryPeak / 1_000_000)
    }
    return writer.text
}
