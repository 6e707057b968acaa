import Diagnostics
import Formats
import Kernels
import SQLite

// Vectors in SQL: blobs of little-endian float32, or JSON text, wherever one is taken; blobs wherever one is given.

/// A vector of finite numbers; `nil` for NULL.
func vector(_ value: SQLiteValue?, for function: String) throws -> [Float]? {
    let vector: [Float]
    switch value ?? .null {
    case .null: return nil
    case .blob(let bytes):
        guard bytes.count % 4 == 0 else { throw MonosemeError("\(function): a blob of \(bytes.count) bytes is no vector", hint: "a vector is 4 bytes a number: little-endian float32") }
        vector = bytes.withUnsafeBytes { raw in (0..<raw.count / 4).map { Float(bitPattern: UInt32(littleEndian: raw.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))) } }
    case .text(let text): vector = try numbers(inJSON: text, for: function)
    case let other: throw MonosemeError("\(function): a vector is a blob of float32 or a JSON array, not \(words(other))", hint: "such as vector('[0.1, -0.2]')")
    }
    guard !vector.isEmpty else { throw MonosemeError("\(function): the vector is empty", hint: "a vector has at least one number") }
    if let place = vector.firstIndex(where: { !$0.isFinite }) {
        throw MonosemeError("\(function): the vector holds \(vector[place].isNaN ? "a NaN" : "an infinity") at element \(place)", hint: "a vector's numbers are finite float32")
    }
    return vector
}

private func numbers(inJSON text: String, for function: String) throws -> [Float] {
    let json: JSON
    do { json = try JSON(parsing: text) } catch { throw MonosemeError("\(function): \(quoted(text)) is not a JSON array: \(error)", hint: "give numbers in brackets, such as '[0.1, -0.2]'") }
    guard let elements = json.array else { throw MonosemeError("\(function): the JSON holds \(json.kind), not an array", hint: "give numbers in brackets, such as '[0.1, -0.2]'") }
    return try elements.enumerated().map { place, element in
        guard let number = element.number else { throw MonosemeError("\(function): element \(place) of the vector is \(element.kind), not a number", hint: "give numbers in brackets, such as '[0.1, -0.2]'") }
        return Float(number)
    }
}

/// Little-endian float32.
func bytes(of vector: [Float]) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 4 * vector.count) { bytes, count in
        for (place, number) in vector.enumerated() { UnsafeMutableRawBufferPointer(bytes).storeBytes(of: number.bitPattern.littleEndian, toByteOffset: 4 * place, as: UInt32.self) }
        count = 4 * vector.count
    }
}

/// Summed as a search sums.
private func dot(_ a: [Float], _ b: [Float]) -> Double { kernel_dot_exact(a, b, a.count) }

/// The functions that compute from their arguments alone; float32 vectors, sums in float64.
func registerVectorFunctions(on connection: Connection) throws {
    try connection.register("vector", arguments: 1, reach: .anywhere) { try vector($0.value(0), for: "vector").map { .blob(bytes(of: $0)) } ?? .null }
    try connection.register("vector_to_json", arguments: 1, reach: .anywhere) { arguments in
        guard let vector = try vector(arguments.value(0), for: "vector_to_json") else { return .null }
        var writer = JSONWriter()
        writer.array { for number in vector { $0.value(number) } }
        return .text(String(decoding: writer.drain(), as: UTF8.self))
    }
    try connection.register("vector_norm", arguments: 1, reach: .anywhere) { try vector($0.value(0), for: "vector_norm").map { .real(dot($0, $0).squareRoot()) } ?? .null }
    try connection.register("vector_scale", arguments: 2, reach: .anywhere) { arguments in
        guard let vector = try vector(arguments.value(0), for: "vector_scale"), !arguments.isNull(1) else { return .null }
        let factor: Double
        switch arguments.value(1) {
        case .integer(let n): factor = Double(n)
        case .real(let r): factor = r
        case let other: throw MonosemeError("vector_scale: the factor is \(words(other)), not a number", hint: "such as vector_scale(v, 0.5)")
        }
        return .blob(bytes(of: try finite(vector.map { Float(Double($0) * factor) }, "vector_scale")))
    }
    try registerPair("vector_dot", on: connection) { .real(dot($0, $1)) }
    try registerPair("vector_cosine", on: connection) { a, b in
        let lengths = dot(a, a).squareRoot() * dot(b, b).squareRoot()
        guard lengths > 0 else { throw MonosemeError("vector_cosine: a vector is zero: it points nowhere", hint: "leave out zero vectors with vector_norm(v) > 0") }
        return .real(max(-1, min(1, dot(a, b) / lengths)))
    }
    try registerPair("vector_add", on: connection) { .blob(bytes(of: try finite(zip($0, $1).map { $0 + $1 }, "vector_add"))) }
    try registerPair("vector_sub", on: connection) { .blob(bytes(of: try finite(zip($0, $1).map { $0 - $1 }, "vector_sub"))) }
}

private func registerPair(_ name: String, on connection: Connection, _ body: @escaping ([Float], [Float]) throws -> SQLiteValue) throws {
    try connection.register(name, arguments: 2, reach: .anywhere) { arguments in
        guard let a = try vector(arguments.value(0), for: name), let b = try vector(arguments.value(1), for: name) else { return .null }
        guard a.count == b.count else { throw MonosemeError("\(name): the vectors have \(a.count) and \(b.count) numbers", hint: "both must be of one space") }
        return try body(a, b)
    }
}

private func finite(_ vector: [Float], _ function: String) throws -> [Float] {
    guard vector.allSatisfy(\.isFinite) else { throw MonosemeError("\(function): a number of the result is too large for float32", hint: "scale the vectors down first") }
    return vector
}
