import Diagnostics
import Glibc

// benchmarks write FOLDER [tiny|narrow|wide|dense]        writes a job
// benchmarks ingest FOLDER CATALOGUE THREADS [TOKENS]      ingests it; one line of JSON
// benchmarks rounding FOLDER [TOKENS]                     where float32 decides otherwise than double precision; one line of JSON
// benchmarks products [tiny|narrow|wide]                   BLAS alone; one line of JSON
// benchmarks stream MODEL CORPUS HOOK THREADS ROWS         what training pays for its activations; one line of JSON
// benchmarks dictionaries FOLDER SIZE…                     writes dictionaries and queries as raw float32
// benchmarks catalogue FILE.f32 CATALOGUE                  a catalogue of such a dictionary
// benchmarks nearest CATALOGUE K QUERIES.f32 N [ANSWERS]   N single queries; one line of JSON
// benchmarks graph ROWS.f32 COLUMNS.f32|self K THREADS     neighbours of all rows among others or their own, and BLAS; one line of JSON
// benchmarks activations MODEL CORPUS ROWS OUT.f32         shuffled activations of a model's neurons, raw float32
// benchmarks train ROWS.f32 WIDTH FEATURES BATCH WARM-UP STEPS THREADS START|- RECIPE [CONSTANT=VALUE…]    steps of training; one line of JSON
// benchmarks warm ROWS.f32 WIDTH FEATURES BATCH STEPS THREADS STATE RECIPE [CONSTANT=VALUE…]    writes a START
// benchmarks lineage CATALOGUE COARSE FINE THREADS         builds a lineage in the catalogue; one line of JSON
// benchmarks cofirings CATALOGUE COARSE FINE THREADS       the sparse product alone; one line of JSON
// benchmarks cosines COLUMNS ROWS WIDTH THREADS            cosines by blocks, and sgemm; one line of JSON
// benchmarks firings CATALOGUE TOKENS COARSE FINE          writes a catalogue of generated firings of two versions, X/0 and X/1
// benchmarks labels CATALOGUE FEATURES                     writes a catalogue of labelled features, S/1; one line of JSON
// benchmarks search CATALOGUE QUERY N                      N searches, each on a connection of its own; one line of JSON
// benchmarks program WHAT N PROGRAM ARGUMENT…              a program N times from start to end; one line of JSON
// benchmarks hierarchy SHAPE exclusive|any RECIPE SEED [CONSTANT=VALUE…]    evidence of planted hierarchies as CSV; see Fixtures/making/lineage_confidence.py
// benchmarks dump FOLDER FEATURES                          writes a source in the layout of Neuronpedia's exports
// benchmarks import FOLDER CATALOGUE THREADS               imports one; one line of JSON
let arguments = CommandLine.arguments
do {
    switch (arguments.dropFirst().first, arguments.count) {
    case ("write", 3...): try write(job(arguments.dropFirst(3).first), to: arguments[2])
    case ("ingest", 5...): print(try measureIngest(arguments[2], catalogue: arguments[3], threads: Int(arguments[4]) ?? 1, tokenLimit: arguments.count > 5 ? Int(arguments[5]) : nil))
    case ("rounding", 3...): print(try measureRounding(arguments[2], tokens: arguments.count > 3 ? Int(arguments[3]) ?? 4096 : 4096))
    case ("products", 2...): print(measureProducts(job(arguments.dropFirst(2).first), seconds: arguments.last == "tiny" ? 0.01 : 2))
    case ("stream", 7): print(try measureStream(arguments[2], corpus: arguments[3], hook: arguments[4], threads: max(1, Int(arguments[5]) ?? 1), rows: max(1, Int(arguments[6]) ?? 1)))
    case ("dictionaries", 4...): try writeDictionaries(to: arguments[2], sizes: arguments.dropFirst(3).compactMap { Int($0) })
    case ("catalogue", 4): try writeCatalogue(of: arguments[2], to: arguments[3])
    case ("nearest", 6...):
        print(try measureNearest(arguments[2], k: Int(arguments[3]) ?? 10, queries: readRows(arguments[4], width: 512), limit: Int(arguments[5]) ?? 1, answers: arguments.count > 6 ? arguments[6] : nil))
    case ("graph", 6):
        print(try measureGraph(try readRows(arguments[2], width: 512), among: arguments[3] == "self" ? nil : try readRows(arguments[3], width: 512), k: max(1, Int(arguments[4]) ?? 10), threads: max(1, Int(arguments[5]) ?? 1), peerRows: 4096))
    case ("activations", 6): try writeActivations(arguments[2], arguments[3], rows: Int(arguments[4]) ?? 4096, to: arguments[5])
    case ("train", 11...):
        let numbers = arguments[3...8].map { Int($0) ?? 1 }
        let job = TrainingJob(features: numbers[1], batchSize: numbers[2], warmUpSteps: numbers[3], steps: numbers[4], threads: numbers[5], recipe: arguments[10], settings: Array(arguments[11...]),
                              start: arguments[9] == "-" ? nil : arguments[9])
        print(try job.measure(readRows(arguments[2], width: numbers[0])))
    case ("warm", 10...):
        let numbers = arguments[3...7].map { Int($0) ?? 1 }
        let job = TrainingJob(features: numbers[1], batchSize: numbers[2], warmUpSteps: 0, steps: numbers[3], threads: numbers[4], recipe: arguments[9], settings: Array(arguments[10...]))
        print(try job.writeTrainingState(readRows(arguments[2], width: numbers[0]), to: arguments[8]))
    case ("lineage", 6): print(try measureLineage(arguments[2], from: arguments[3], to: arguments[4], threads: max(1, Int(arguments[5]) ?? 1)))
    case ("cofirings", 6): print(try measureCofirings(arguments[2], of: arguments[3], and: arguments[4], threads: max(1, Int(arguments[5]) ?? 1)))
    case ("cosines", 6):
        let numbers = arguments[2...5].map { max(1, Int($0) ?? 1) }
        print(try measureCosines(columns: numbers[0], rows: numbers[1], width: numbers[2], threads: numbers[3]))
    case ("firings", 6): try writeFirings(to: arguments[2], tokens: Int(arguments[3]) ?? 0, coarse: Int(arguments[4]) ?? 0, fine: Int(arguments[5]) ?? 0)
    case ("labels", 4): print(try writeLabels(to: arguments[2], features: max(1, Int(arguments[3]) ?? 1)))
    case ("search", 5): print(try measureSearch(arguments[2], arguments[3], repeats: Int(arguments[4]) ?? 1))
    case ("program", 5...): print(try measureProgram(arguments[2], repeats: Int(arguments[3]) ?? 1, Array(arguments[4...])))
    case ("hierarchy", 6...):
        print(try lineageEvidence(arguments[2], isExclusive: arguments[3] == "exclusive", recipe: arguments[4], seed: UInt64(arguments[5]) ?? 1, settings: Array(arguments[6...])))
    case ("dump", 4): try writeDump(to: arguments[2], features: max(1, Int(arguments[3]) ?? 1))
    case ("import", 5): print(try measureImport(arguments[2], catalogue: arguments[3], threads: max(1, Int(arguments[4]) ?? 1)))
    default:
        print("usage: benchmarks dump FOLDER FEATURES | import FOLDER CATALOGUE THREADS | write FOLDER [tiny|narrow|wide|dense] | ingest FOLDER CATALOGUE THREADS [TOKENS] | rounding FOLDER [TOKENS] | products [tiny|narrow|wide] | stream MODEL CORPUS HOOK THREADS ROWS | dictionaries FOLDER SIZE… | catalogue FILE CATALOGUE | nearest CATALOGUE K QUERIES N [ANSWERS] | graph ROWS COLUMNS|self K THREADS | activations MODEL CORPUS ROWS OUT | train ROWS WIDTH FEATURES BATCH WARM-UP STEPS THREADS START|- RECIPE [CONSTANT=VALUE…] | lineage CATALOGUE COARSE FINE THREADS | cofirings CATALOGUE COARSE FINE THREADS | cosines COLUMNS ROWS WIDTH THREADS | firings CATALOGUE TOKENS COARSE FINE | labels CATALOGUE FEATURES | search CATALOGUE QUERY N | program WHAT N PROGRAM ARGUMENT… | warm ROWS WIDTH FEATURES BATCH STEPS THREADS STATE RECIPE [CONSTANT=VALUE…] | hierarchy SHAPE exclusive|any RECIPE SEED [CONSTANT=VALUE…]")
        exit(2)
    }
} catch {
    print(error)
    exit(1)
}
