import Diagnostics
import Glibc

// benchmarks write FOLDER [tiny|narrow|wide|dense]        writes a job
// benchmarks ingest FOLDER CATALOGUE THREADS [TOKENS]      ingests it; one line of JSON
// benchmarks products [tiny|narrow|wide]                   BLAS alone; one line of JSON
let arguments = CommandLine.arguments
do {
    switch (arguments.dropFirst().first, arguments.count) {
    case ("write", 3...): try write(job(arguments.dropFirst(3).first), to: arguments[2])
    case ("ingest", 5...): print(try measureIngest(arguments[2], catalogue: arguments[3], threads: Int(arguments[4]) ?? 1, tokenLimit: arguments.count > 5 ? Int(arguments[5]) : nil))
    case ("products", 2...): print(measureProducts(job(arguments.dropFirst(2).first), seconds: arguments.last == "tiny" ? 0.01 : 2))
    default:
        print("usage: benchmarks write FOLDER [tiny|narrow|wide|dense] | ingest FOLDER CATALOGUE THREADS [TOKENS] | products [tiny|narrow|wide]")
        exit(2)
    }
} catch {
    print(error)
    exit(1)
}
