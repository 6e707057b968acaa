import Diagnostics
import Formats

/// One vector from a file or, for `-`, standard input: a JSON array of numbers, or a .npy of floats that holds one vector
/// (n, 1 × n or n × 1).
/// - Throws: `MonosemeError` naming the place and what was found there.
func readVector(_ path: String) throws -> [Float] {
    let place = path == "-" ? "standard input" : quoted(path, limit: 400)
    let bytes = try path == "-" ? readStandardInput(limit: 1 << 26) : MappedFile(path).withBytes { Array($0) }
    guard !bytes.isEmpty else { throw MonosemeError("\(place) is empty", hint: "give \(vectorForms)") }
    let vector = try bytes.withUnsafeBytes { try $0.starts(with: [0x93] + Array("NUMPY".utf8)) ? numPyVector($0, place) : jsonVector($0, place) }
    if let bad = vector.firstIndex(where: { !$0.isFinite }) {
        throw MonosemeError("\(place): element \(bad) is \(vector[bad].isNaN ? "NaN" : "infinite, or too large for single precision")", hint: "a direction is made of finite numbers")
    }
    return vector
}

private let vectorForms = "a JSON array of numbers, such as [0.1, -0.2], or NumPy's .npy of floats"

private func numPyVector(_ bytes: UnsafeRawBufferPointer, _ place: String) throws -> [Float] {
    let array: NumPyArray
    do { array = try NumPyArray(parsing: bytes) } catch let error as MonosemeError { throw MonosemeError("\(place): \(error.message)", hint: error.hint) }
    // Whole numbers and booleans are more likely indices or a mask than a direction.
    guard array.descriptor.dropFirst().hasPrefix("f") else {
        throw MonosemeError("\(place) holds numbers of type \(quoted(array.descriptor)), not floats", hint: "save it as float32: numpy.save(path, vector.astype('float32'))")
    }
    guard !array.isFortranOrder || array.shape.count < 2 else {
        throw MonosemeError("\(place) holds an array of shape \(array.shape) in Fortran order", hint: "save one vector: numpy.save(path, numpy.ravel(vector))")
    }
    guard !array.shape.isEmpty, array.shape.count(where: { $0 != 1 }) <= 1 else {
        throw MonosemeError("\(place) holds an array of shape \(array.shape), not one vector", hint: "save one row of it")
    }
    return array.values
}

private func jsonVector(_ bytes: UnsafeRawBufferPointer, _ place: String) throws -> [Float] {
    let json: JSON
    do { json = try JSON(parsing: bytes) } catch { throw MonosemeError("\(place) is neither .npy nor JSON: \(error)", hint: "give \(vectorForms)") }
    guard let elements = json.array else { throw MonosemeError("\(place) holds \(json.kind), not an array", hint: "give \(vectorForms)") }
    return try elements.enumerated().map { index, element in
        guard let number = element.number else { throw MonosemeError("\(place): element \(index) is \(element.kind), not a number", hint: "give \(vectorForms)") }
        return Float(number)
    }
}
