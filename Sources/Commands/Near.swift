import Diagnostics
import FeatureCatalogue
import Formats
import Publishing

/// `monoseme near`: `Catalogue.nearest`.
enum Near: Command {
    static let feature = Argument<FeatureName?>("FEATURE", help: "The feature to start from, such as A/1/2357")
    static let k = Option<Int>("-k", value: "N", default: 10, in: 1..., help: "How many")
    static let within = Option<DictionaryName?>("--in", value: "DICT", help: "Look in this dictionary (default: the feature's own)")
    static let vector = Option<String?>("--vector", value: "FILE|-", help: "Start from a vector instead: a JSON array, or NumPy's .npy")

    static let declaration = Declaration(
        "near", summary: "find the features whose decoder vectors point the same way",
        discussion: "Exact cosines over the decoder vectors in the catalogue; equal ones come in order of index. Across models or hook points cosines compare nothing, and are refused.",
        parameters: [feature, k, within, vector, Shared.format],
        examples: [("monoseme near A/1/2357", "The ten nearest"), ("monoseme near A/0/45 --in A/1 -k 5", "Where a feature went in a larger dictionary"),
                   ("monoseme near --vector direction.npy --in A/1", "Features along a direction of your own")])

    static func run(_ invocation: Invocation) throws {
        let catalogue = try invocation.openCatalogue()
        let target: FeatureDictionary, query: [Float], own: Int?
        switch (invocation[feature], invocation[vector]) {
        case (let name?, nil):
            let (dictionary, index) = try catalogue.feature(name)
            target = try invocation[within].map { try catalogue.dictionary(named: $0) } ?? dictionary
            try catalogue.demandSameSpace(dictionary, target)
            query = try catalogue.decoder(of: index, in: dictionary)
            guard query.contains(where: { $0 != 0 }) else {
                throw MonosemeError("the decoder vector of \(name) is zero: it points nowhere", hint: "choose a feature that is not dead from the start")
            }
            own = target.id == dictionary.id ? index : nil
        case (nil, let path?):
            guard let name = invocation[within] else { throw UsageError("a vector says nothing of where to look", hint: "name a dictionary with --in") }
            (target, query, own) = (try catalogue.dictionary(named: name), try readVector(path), nil)
        case (nil, nil): throw UsageError("nothing to start from", hint: "name a feature, or give a vector with --vector")
        case (_?, _?): throw UsageError("a feature and --vector were given", hint: "start from one of them")
        }
        var table = Table([Column("feature"), Column("cosine"), Column("label", isFlexible: true), Column("density"), Column("top token", key: "top_token")])
        for neighbour in try catalogue.nearest(to: query, in: target, k: invocation[k], excluding: own) {
            let about = try catalogue.describe(neighbour, in: target)
            table.append([.text(about.feature.description), .real(Double("\(about.cosine)") ?? 0, .fixed(4)), Cell(about.label), .density(about.density), .token(about.topToken)])
        }
        try invocation.print(table)
    }

    /// A JSON array of numbers, or a .npy of one vector (n, 1 × n or n × 1), from a file or standard input.
    static func readVector(_ path: String) throws -> [Float] {
        let place = path == "-" ? "standard input" : quoted(path, limit: 400)
        let bytes = try path == "-" ? readStandardInput(limit: 1 << 26) : Array(MappedFile(path).bytes)
        return try bytes.withUnsafeBytes { raw in
            if raw.starts(with: [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]) {
                let array: NumPyArray
                do { array = try NumPyArray(parsing: raw) } catch let error as MonosemeError { throw MonosemeError("\(place): \(error.message)", hint: error.hint) }
                guard array.shape.filter({ $0 != 1 }).count <= 1 else {
                    throw MonosemeError("\(place) holds an array of shape \(array.shape), not one vector", hint: "save one row of it")
                }
                return array.values
            }
            let json: JSON
            do { json = try JSON(parsing: raw) } catch { throw MonosemeError("\(place) is neither .npy nor JSON: \(error)", hint: "give a JSON array of numbers, such as [0.1, -0.2]") }
            guard let elements = json.array else { throw MonosemeError("\(place) holds \(json.kind), not an array", hint: "give a JSON array of numbers, such as [0.1, -0.2]") }
            return try elements.enumerated().map { index, element in
                guard let number = element.number else { throw MonosemeError("\(place): element \(index) is \(element.kind), not a number") }
                return Float(number)
            }
        }
    }
}
