@testable import Commands
import Formats
import Foundation
import TestSupport
import Testing

/// `monoseme near` over the catalogue of `QueryTests`.
@Suite struct NearTests {
    private func near(_ words: String...) -> (status: Int32, output: String, errors: String) { QueryTests.monoseme(["near"] + words, catalogue: QueryTests.catalogue) }

    /// Features and cosines of the answer.
    private func rows(_ words: [String]) throws -> [(feature: String, cosine: Double)] {
        let answer = QueryTests.monoseme(["near"] + words + ["--json"], catalogue: QueryTests.catalogue)
        try #require(answer.status == 0, "\(answer.errors)")
        return try #require(try JSON(parsing: answer.output).array).map { ($0["feature"]?.string ?? "", $0["cosine"]?.number ?? .nan) }
    }

    /// Unit decoder rows as the file has them, in double precision.
    private static let decoder: [[Double]] = {
        let weights = try! SafetensorsFile(fixture("sae-A-1/sae_weights.safetensors")), values = try! weights["W_dec"]!.floats()
        return (0..<4096).map { row in
            let own = values[row * 512..<(row + 1) * 512].map(Double.init), length = own.reduce(0) { $0 + $1 * $1 }.squareRoot()
            return length > 0 ? own.map { $0 / length } : own
        }
    }()

    /// The features of A/1 by their cosine with `query`.
    private static func ranking(_ query: [Double]) -> [(feature: Int, cosine: Double)] {
        let length = query.reduce(0) { $0 + $1 * $1 }.squareRoot()
        return decoder.indices.map { ($0, zip(query, decoder[$0]).reduce(0) { $0 + $1.0 * $1.1 } / length) }.sorted { $0.1 == $1.1 ? $0.0 < $1.0 : $0.1 > $1.1 }
    }

    @Test(arguments: [
        ("A/1/10 - A/1/11 + A/1/12", [10: 1, 11: -1, 12: 1]), ("0.5 * A/1/700 + A/1/7", [700: 0.5, 7: 1]), ("2*(A/1/10 + A/1/11)", [10: 2, 11: 2]), ("-1 * A/1/9", [9: -1]),
        ("A/1/3 + A/1/3", [3: 2]),
    ] as [(String, [Int: Double])])
    func `a sum finds what a computation in double finds, its own terms left out`(text: String, weights: [Int: Double]) throws {
        var query = [Double](repeating: 0, count: 512)
        for (feature, weight) in weights { for axis in 0..<512 { query[axis] += weight * Self.decoder[feature][axis] } }
        let expected = Self.ranking(query).filter { weights[$0.feature] == nil }.prefix(6), found = try rows([text, "-k", "6"])
        #expect(found.map(\.feature) == expected.map { "A/1/\($0.feature)" })
        for (a, b) in zip(found, expected) { #expect(abs(a.cosine - b.cosine) < 1e-5) }
    }

    @Test func `terms of another dictionary of the same hook are looked for where --in says, and none is left out there`() throws {
        let found = try rows(["A/0/3 + A/0/4", "--in", "A/1", "-k", "5000"])
        #expect(found.count == 4096)
        #expect(try rows(["A/0/3 + A/1/4", "--in", "A/1", "-k", "5000"]).count == 4095)
    }

    @Test(arguments: ["firings > 200", "density > 1e-3 AND label IS NULL", "top_token LIKE '%a%' -- with an a", "label IS NOT NULL", "0", "status = 'alive' OR status = 'dense'"])
    func `with a predicate the answer is the whole ranking less those it does not hold for`(predicate: String) throws {
        let chosen = try JSON(parsing: QueryTests.monoseme(["sql", "SELECT feature FROM feature_overview WHERE dictionary = 'A/1' AND (\(predicate)\n)", "--json"], catalogue: QueryTests.catalogue).output)
        let names = Set(try #require(chosen.array).compactMap { $0["feature"]?.string })
        for start in ["A/1/20", "A/1/20 - A/1/21"] {
            let all = try rows([start, "-k", "5000"]).filter { names.contains($0.feature) }
            for k in [1, 7, 5000] { #expect(try rows([start, "-k", "\(k)", "--where", predicate]).map(\.feature) == all.prefix(k).map(\.feature)) }
        }
    }

    // MARK: Vectors

    /// A .npy of this description, header padded as numpy does.
    private static func npy(_ descriptor: String, fortran: Bool = false, _ shape: String, _ data: [UInt8]) -> [UInt8] {
        var header = Array("{'descr': '\(descriptor)', 'fortran_order': \(fortran ? "True" : "False"), 'shape': \(shape), }".utf8)
        while (10 + header.count + 1) % 64 != 0 { header.append(0x20) }
        header.append(0x0a)
        return [0x93] + Array("NUMPY".utf8) + [1, 0, UInt8(header.count & 255), UInt8(header.count >> 8)] + header + data
    }

    private static func bytes<Number>(_ numbers: [Number]) -> [UInt8] { numbers.withUnsafeBytes { Array($0) } }

    private func near(vector: [UInt8], _ words: String...) throws -> (status: Int32, output: String, errors: String) {
        try withTemporaryFolder { folder in
            let file = folder.appending(path: "v")
            try Data(vector).write(to: file)
            let answer = QueryTests.monoseme(["near", "--vector", file.path, "--in", "A/1"] + words, catalogue: QueryTests.catalogue)
            return (answer.status, answer.output, answer.errors.replacingOccurrences(of: file.path, with: "v"))
        }
    }

    @Test func `a vector of any kind of float finds the same feature`() throws {
        let row = Self.decoder[321], single = row.map(Float.init)
        var big: [UInt8] = []
        for number in single { big += Self.bytes([number.bitPattern.bigEndian]) }
        // Half precision, from bits: exact for a direction of powers of two.
        let halves = (0..<512).map { $0 == 5 ? UInt16(0x3c00) : $0 == 9 ? 0xb800 : 0 } // 1 and −0.5
        let asText = "[\(single.map { "\($0)" }.joined(separator: ", "))]"
        let all: [[UInt8]] = [Self.npy("<f4", "(512,)", Self.bytes(single)), Self.npy("<f8", "(1, 512)", Self.bytes(row)), Self.npy("<f4", "(512, 1)", Self.bytes(single)), Self.npy(">f4", "(512,)", big),
                              Self.npy("<f4", fortran: true, "(512,)", Self.bytes(single)), Array(asText.utf8)]
        for vector in all {
            let answer = try near(vector: vector, "-k", "1", "--json")
            let first = try #require(try JSON(parsing: answer.output).array?.first)
            #expect(first["feature"] == .string("A/1/321") && abs(first["cosine"]!.number! - 1) < 1e-5)
        }
        var direction = [Double](repeating: 0, count: 512)
        (direction[5], direction[9]) = (1, -0.5)
        let found = try JSON(parsing: try near(vector: Self.npy("<f2", "(512,)", Self.bytes(halves)), "-k", "3", "--json").output)
        #expect(found.array?.compactMap { $0["feature"]?.string } == Self.ranking(direction).prefix(3).map { "A/1/\($0.feature)" })
    }

    private static func changed(_ place: Int, _ value: Float) -> [UInt8] {
        var vector = [Float](repeating: 1, count: 512)
        vector[place] = value
        return npy("<f4", "(512,)", bytes(vector))
    }

    @Test(arguments: [
        (changed(3, .nan), "\"v\": element 3 is NaN", "a direction is made of finite numbers"), (changed(511, -.infinity), "\"v\": element 511 is infinite, or too large for single precision", "a direction is made of finite numbers"),
        (npy("<f8", "(512,)", bytes([Double](repeating: 1e300, count: 512))), "\"v\": element 0 is infinite, or too large for single precision", "a direction is made of finite numbers"),
        (npy("<f4", "(512,)", bytes([Float](repeating: 0, count: 512))), "the query vector is zero: it points nowhere", "a feature whose decoder row is zero has no neighbours"),
        (npy("<f4", "(511,)", bytes([Float](repeating: 1, count: 511))), "the query vector has 511 numbers; the decoder vectors of A/1 have 512", "give a vector in the space of blocks.0.mlp.hook_post"),
        (npy("<i4", "(512,)", bytes([Int32](repeating: 1, count: 512))), "\"v\" holds numbers of type \"<i4\", not floats", "save it as float32: numpy.save(path, vector.astype('float32'))"),
        (npy("|b1", "(512,)", [UInt8](repeating: 1, count: 512)), "\"v\" holds numbers of type \"|b1\", not floats", "save it as float32: numpy.save(path, vector.astype('float32'))"),
        (npy("|O", "(512,)", []), "\"v\": the .npy array holds \"|O\", which is not supported", "save it as float32, without objects: numpy.save(path, array.astype('float32'))"),
        (npy("<c8", "(512,)", [UInt8](repeating: 0, count: 4096)), "\"v\": the .npy array holds \"<c8\", which is not supported", "save it as float32, without objects: numpy.save(path, array.astype('float32'))"),
        (npy("<f4", fortran: true, "(1, 512)", bytes([Float](repeating: 1, count: 512))), "\"v\" holds an array of shape [1, 512] in Fortran order", "save one vector: numpy.save(path, numpy.ravel(vector))"),
        (npy("<f4", "(2, 256)", bytes([Float](repeating: 1, count: 512))), "\"v\" holds an array of shape [2, 256], not one vector", "save one row of it"),
        (npy("<f4", "()", bytes([Float(1)])), "\"v\" holds an array of shape [], not one vector", "save one row of it"),
        (npy("<f4", "(512,)", [1, 2, 3]), "\"v\": not a readable .npy array: shape [512] of \"<f4\" takes 2048 bytes, but 3 follow the header", nil),
        (Array("[1e400]".utf8), "\"v\" is neither .npy nor JSON: ", ""), (Array("[NaN]".utf8), "\"v\" is neither .npy nor JSON: ", ""), ([], "\"v\" is empty", ""), (Array("[[1], 2]".utf8), "\"v\": element 0 is an array, not a number", ""),
        (Array("[1e39]".utf8), "\"v\": element 0 is infinite, or too large for single precision", ""),
    ] as [([UInt8], String, String?)])
    func `a vector that is no direction here is refused with the reason`(vector: [UInt8], message: String, hint: String?) throws {
        let answer = try near(vector: vector)
        #expect(answer.status == 1 && answer.output == "")
        if hint == "" { #expect(answer.errors.hasPrefix("monoseme: " + message), "\(answer.errors)") } else { #expect(answer.errors == "monoseme: \(message)\n" + (hint.map { "  hint: \($0)\n" } ?? "")) }
    }

    // MARK: The command line

    @Test(arguments: [
        (["A/1/7", "-k", "0"], "-k: found \"0\", expected a whole number, 1 or more", nil), (["A/1/7", "-k", "-3"], "-k: found \"-3\", expected a whole number, 1 or more", nil),
        (["A/1/7", "-k", "99999999999999999999"], "-k: found \"99999999999999999999\", expected a whole number, 1 or more", nil),
        (["A/1"], "FEATURE: found \"A/1\", expected a feature's name, such as A/1/2357", "a sum has spaces around + and -: \"A/1/10 - A/1/11\""),
        (["A/1/7'; DROP TABLE label"], "\"A/1/7'; DROP TABLE label\": \"A/1/7';\" is neither a feature's name nor a number", "such as \"A/1/10 - A/1/11 + 0.5 * A/1/12\", with spaces around + and -"),
        (["A/1/7", "--in", "A/1' OR 1"], "--in: found \"A/1' OR 1\", expected a dictionary's name, such as A/1", nil), (["A/1/7 + A/0/7"], "the features are of A/1 and of A/0", "say where to look with --in"),
        ([], "nothing to start from", "name a feature, or give --vector or --text"), (["A/1/7", "--vector", "v"], "a feature and --vector were given", "start from one of them"),
        (["--vector", "v", "--text", "t"], "--vector and --text were given", "start from one of them"), (["--vector", "v"], "a vector says nothing of where to look", "name a dictionary with --in"),
        (["--text", "t"], "--text needs --model DIR", "the folders that were ingested"), (["--text", "t", "--model", "m"], "--text needs --sae DIR", "the folders that were ingested"),
        (["A/1/7", "--model", "m"], "--model goes with --text, not with a feature", nil), (["--vector", "v", "--in", "A/1", "--sae", "s"], "--sae goes with --text, not with --vector", nil),
    ] as [([String], String, String?)])
    func `a command line that makes no sense says what would`(words: [String], message: String, hint: String?) {
        let answer = QueryTests.monoseme(["near"] + words, catalogue: QueryTests.catalogue)
        #expect(answer.status == 2 && answer.output == "")
        #expect(answer.errors == "monoseme: \(message)\n  hint: " + (hint.map { "\($0); " } ?? "") + "see `monoseme near --help`\n")
    }

    @Test(arguments: [
        (["A/1/4096"], "there is no feature \"A/1/4096\": A/1 has 4096 features"), (["A/1/1 - A/1/4096"], "there is no feature \"A/1/4096\": A/1 has 4096 features"), (["A/7/1"], "no dictionary \"A/7\" in \"FILE\""),
        (["A/1/1", "--in", "A/7"], "no dictionary \"A/7\" in \"FILE\""), (["A/1/1 - A/1/1"], "the terms cancel each other out: their sum points nowhere"),
        (["A/1/1", "--where", "1) OR (1"], "the predicate \"1) OR (1\" was refused: near \")\": syntax error"), (["A/1/1", "--where", "x"], "the predicate \"x\" was refused: no such column: x"),
    ])
    func `a question without an answer says why`(words: [String], message: String) {
        let answer = QueryTests.monoseme(["near"] + words, catalogue: QueryTests.catalogue)
        #expect(answer.status == 1 && answer.output == "" && answer.errors.hasPrefix("monoseme: \(message.replacingOccurrences(of: "FILE", with: QueryTests.catalogue))\n  hint: "), "\(answer.errors)")
    }

    @Test func `a k beyond the dictionary gives all features but the one asked about`() throws {
        #expect(try rows(["A/1/7", "-k", "\(Int.max)"]).count == 4095)
        #expect(try rows(["A/1/7 + A/1/8", "-k", "\(Int.max)"]).count == 4094)
    }

    @Test func `explaining goes to standard error and changes no answer`() {
        let plain = near("A/1/7", "-k", "3", "--where", "firings > 50"), explained = near("A/1/7", "-k", "3", "--where", "firings > 50", "--explain")
        #expect(explained.output == plain.output && plain.errors == "")
        #expect(explained.errors.hasPrefix("monoseme: ") && explained.errors.contains(" touched; ") && explained.errors.hasSuffix(" of 4,096 features satisfy the predicate\n"), "\(explained.errors)")
    }

    @Test func `a text lists what fires on its last token`() throws {
        let answer = near("--text", "{\"a\": 1}", "--model", fixture("model-A"), "--sae", fixture("sae-A-1"), "-k", "3", "--json")
        let found = try #require(try JSON(parsing: answer.output).array)
        // From transformers in float32 and the autoencoder's formula in torch, float64.
        let expected = [("A/1/2405", 1.084182, 0.640379), ("A/1/2490", 0.618971, 0.518226), ("A/1/1243", 0.471793, 0.392207)]
        #expect(found.map { $0["feature"]?.string } == expected.map(\.0))
        for (row, (_, activation, cosine)) in zip(found, expected) {
            #expect(abs((row["activation"]?.number ?? .nan) - activation) < 1e-4 && abs((row["cosine"]?.number ?? .nan) - cosine) < 1e-4, "\(row)")
        }
        #expect(answer.errors == "monoseme: 26 of A/1 fire on the last token, \"}\"; cosines are of its activation less b_dec\n")
        let none = near("--text", "x", "--model", fixture("model-A"), "--sae", fixture("sae-A-1"), "--where", "0")
        #expect(none.status == 0 && none.output == "feature  activation  cosine  label  density  top token\n")
        let other = near("--text", "x", "--model", fixture("model-B"), "--sae", fixture("sae-A-1"))
        #expect(other.status == 1 && other.errors.hasPrefix("monoseme: the model in \"\(fixture("model-B"))\" is not what A/1 was made with"))
    }

    @Test func `the help tells all of it`() {
        #expect(near("--help").output == """
            monoseme near: find the features whose decoder vectors point the same way

            Usage: monoseme near [FEATURE] [options]

            Exact cosines over the decoder vectors in the catalogue; equal ones come in
            order of index. Across models or hook points cosines compare nothing, and are
            refused.

            In a sum, + and - stand between spaces (names may hold them), a number is a
            weight, and brackets group. The features that are named are left out of the
            answer. With --where the answer is the nearest of those for which the predicate
            holds, none missed.

            --text runs the model by the rules of the dictionary's run and lists the
            features that fire on the last token, strongest first; their cosine is that of
            the token's activation, less b_dec where the autoencoder subtracts it. A text
            longer than the context loses its beginning.

            Arguments:
              FEATURE  The feature to start from, such as A/1/2357, or a sum of features:
                       "A/1/10 - A/1/11 + 0.5 * A/1/12"

            Options:
              -k N             How many (1 or more; default: 10)
              --in DICT        Look in this dictionary (default: the feature's own)
              --where SQL      Only features for which this holds, over the columns of
                               feature_overview
              --vector FILE|-  Start from a vector instead: a JSON array, or NumPy's .npy
              --text TEXT      List what fires on the last token of this text instead; needs
                               --model and --sae
              --model DIR      For --text: the language model that was ingested
              --sae DIR        For --text: the autoencoder that was ingested

            Output:
              --table    Print aligned columns, for people (default)
              --json     Print one JSON document
              --jsonl    Print one JSON object on each line
              --csv      Print comma-separated values with a header line
              --explain  Say on standard error how the answer was found and what it took

            Global options:
              --catalogue FILE           The catalogue to work with (default:
                                         $MONOSEME_CATALOGUE, else catalogue.sqlite)
              --color auto|always|never  Colours in what is printed (default: auto)
              -h, --help                 Print this help

            Examples:
              # The ten nearest
              monoseme near A/1/2357
              # Where a feature went in a larger dictionary
              monoseme near A/0/45 --in A/1 -k 5
              # Among those that have a label and are not rare
              monoseme near A/1/2357 --where "density > 1e-4 AND label IS NOT NULL"
              # What is to 12 as 10 is to 11
              monoseme near "A/1/10 - A/1/11 + A/1/12"
              # Features along a direction of your own
              monoseme near --vector direction.npy --in A/1
              # What fires on the bracket
              monoseme near --text "def main(" --model Fixtures/model-A --sae Fixtures/sae-A-1

            Exit status: 0 done, 1 failed, 2 the command line was not understood.

            """)
    }
}
