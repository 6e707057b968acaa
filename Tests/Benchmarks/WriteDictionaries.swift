import Diagnostics
import DictionarySupport
import FeatureCatalogue
import Glibc
import Numerics

/// Writes dictionaries as raw little-endian float32 (features × width), a part at a time: `clustered-N.f32` and
/// `isotropic-N.f32` for each size N, each with 256 queries in `….q.f32`: rows in even places, random directions in odd ones.
func writeDictionaries(to folder: String, sizes: [Int], width: Int = 512) throws {
    mkdir(folder, 0o755)
    for recipe in [GeneratedDictionary.Recipe.clustered, .isotropic] {
        for size in sizes {
            let made = GeneratedDictionary(recipe, features: size, width: width, seed: 1), path = "\(folder)/\(recipe.rawValue)-\(size)"
            try writeRows(to: path + ".f32", count: size, width: width) { made.write(row: $0, to: $1) }
            // Directions have the dictionary's own spread: they are rows of another with the same recipe.
            let other = GeneratedDictionary(recipe, features: size, width: width, seed: 2)
            try writeRows(to: path + ".q.f32", count: 256, width: width) { ($0 % 2 == 0 ? made : other).write(row: $0 * 7919 % size, to: $1) }
        }
    }
}

private func writeRows(to path: String, count: Int, width: Int, _ write: (Int, UnsafeMutablePointer<Float>) -> Void) throws {
    guard let file = fopen(path, "w") else { throw MonosemeError("cannot write \(path): \(String(cString: strerror(errno)))") }
    let part = Matrix(uninitializedRows: min(1024, count), columns: width)
    var written = 0
    for first in stride(from: 0, to: count, by: 1024) {
        let rows = min(1024, count - first)
        for row in 0..<rows { write(first + row, part.base + row * width) }
        written += fwrite(part.base, 4 * width, rows, file)
    }
    guard fclose(file) == 0, written == count else { throw MonosemeError("cannot write all of \(path): \(String(cString: strerror(errno)))") }
}

/// All numbers of a file of raw float32, as rows.
func readRows(_ path: String, width: Int) throws -> Matrix {
    guard let file = fopen(path, "r") else { throw MonosemeError("cannot read \(path): \(String(cString: strerror(errno)))") }
    defer { fclose(file) }
    fseek(file, 0, SEEK_END)
    let matrix = Matrix(uninitializedRows: ftell(file) / (4 * width), columns: width)
    rewind(file)
    guard fread(matrix.base, 4 * width, matrix.rows, file) == matrix.rows else { throw MonosemeError("cannot read all of \(path)") }
    return matrix
}

/// Makes a catalogue of the dictionary in a file, as `A/0`, with an empty run, so that every command answers about it.
func writeCatalogue(of path: String, to target: String, width: Int = 512) throws {
    for ending in ["", "-wal", "-shm"] { unlink(target + ending) }
    let (catalogue, dictionary) = try catalogue(of: readRows(path, width: width), path: target)
    try catalogue.connection.transaction {
        guard let tokenizer = try catalogue.connection.integer("SELECT id FROM tokenizer") else { preconditionFailure("a catalogue without a tokenizer") }
        let corpus = try catalogue.register(CorpusDescription(name: "none", fingerprint: "none", settings: "{}"), tokenizer: tokenizer)
        _ = try catalogue.register(RunRules(contextLength: 1, prependsBOS: false, keepTop: nil), of: dictionary, over: corpus, engine: "benchmark", at: "2026-01-01T00:00:00Z")
    }
}
