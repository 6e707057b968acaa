import Diagnostics
import Glibc

// benchmarks write FOLDER [tiny|dense]                    writes a job
// benchmarks ingest FOLDER CATALOGUE THREADS [TOKENS]      ingests it; one line of JSON
// benchmarks products [tiny]                               BLAS alone; one line of JSON
// benchmarks graph N M WIDTH K THREADS [ROWS [COLUMNS]]     neighbours of N rows among M others (0: their own), and BLAS; from raw float32 files
let arguments = CommandLine.arguments
do {
    switch (arguments.dropFirst().first, arguments.count) {
    case ("write", 3...): try write(job(arguments.dropFirst(3).first), to: arguments[2])
    case ("ingest", 5...): print(try measureIngest(arguments[2], catalogue: arguments[3], threads: Int(arguments[4]) ?? 1, tokenLimit: arguments.count > 5 ? Int(arguments[5]) : nil))
    case ("products", 2...): print(measureProducts(job(arguments.dropFirst(2).first), seconds: arguments.last == "tiny" ? 0.01 : 2))
    case ("graph", 7...9):
        let numbers = arguments[2...6].map { Int($0) ?? 0 }, files = arguments.dropFirst(7)
        guard numbers.enumerated().allSatisfy({ $1 >= ($0 == 1 ? 0 : 1) }) else { fallthrough }
        print(try measureGraph(try graphRows(files.first, count: numbers[0], width: numbers[2], seed: 1),
                               among: numbers[1] == 0 ? nil : try graphRows(files.dropFirst().first, count: numbers[1], width: numbers[2], seed: 2), k: numbers[3], threads: numbers[4], peerRows: 4096))
    default:
        print("usage: benchmarks write FOLDER [tiny|dense] | ingest FOLDER CATALOGUE THREADS [TOKENS] | products [tiny] | graph N M WIDTH K THREADS [ROWS [COLUMNS]]")
        exit(2)
    }
} catch {
    print(error)
    exit(1)
}
