import Glibc
public import Numerics

/// SplitMix64 (Steele, Lea and Flood, 2014): the same numbers everywhere, each within reach at once.
struct WordStream: RandomNumberGenerator {
    let seed: UInt64
    private var taken = 0

    init(seed: UInt64) { self.seed = seed }

    subscript(index: Int) -> UInt64 {
        var z = seed &+ UInt64(truncatingIfNeeded: index + 1) &* 0x9E37_79B9_7F4A_7C15
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    mutating func next() -> UInt64 {
        taken += 1
        return self[taken - 1]
    }
}

/// A dictionary of decoder vectors by recipe: the very float32 rows of Fixtures/making/generated_dictionaries.py.
///
/// Rows are vectors of integers, divided by their length in double and rounded to float32 once, so that both languages
/// agree to the last bit. A row depends on its index alone: large dictionaries can be made a part at a time.
public struct GeneratedDictionary: Sendable {
    public enum Recipe: String, Sendable, CaseIterable {
        /// Children at cosines of 0.4 to 0.9 to a parent, few parents with many and many with few; a third is background. Anisotropic.
        case clustered
        case isotropic
        /// Each row about eight times.
        case duplicated
        /// Eight centres, and neighbours of each at distances of 1e-3 down to 6e-8.
        case nearTies = "near ties"
        /// All rows within 1e-7 of one another.
        case tight
        /// Every third row is zero.
        case zeros
        /// Each odd row is the one before, negated.
        case opposite
        case oneHot = "one-hot"
        /// At most three coordinates are not zero.
        case sparse
        /// One coordinate holds most of the length.
        case spiked
        /// Sixteen copies of a row, each with the last bit of one coordinate moved on.
        case oneULP = "one ulp"
        /// One coordinate of ±1; the others are smaller than any normal float32.
        case subnormal
    }

    public let recipe: Recipe
    public let features, width: Int
    public let seed: UInt64

    public init(_ recipe: Recipe, features: Int, width: Int, seed: UInt64) { (self.recipe, self.features, self.width, self.seed) = (recipe, features, width, seed) }

    private func word(_ stream: UInt64, _ index: Int) -> UInt64 { WordStream(seed: seed &+ (stream << 32))[index] }

    private func choice(_ stream: UInt64, _ index: Int, among count: Int) -> Int { Int(word(stream, index) % UInt64(count)) }

    /// Nearly normal with deviation 209: the eight bytes of a word, added, less 1,020.
    private func bell(_ stream: UInt64, _ row: Int, _ axis: Int) -> Int {
        let word = word(stream, row * width + axis), pairs = (word & 0x00FF_00FF_00FF_00FF) &+ ((word >> 8) & 0x00FF_00FF_00FF_00FF)
        return Int((pairs &* 0x0001_0001_0001_0001) >> 48) - 1020
    }

    /// How strong an axis is in the clustered recipe: falls like a power of the axis, then is flat.
    private func weight(_ axis: Int) -> Int { 64 + 4096 / (axis + 16) }

    /// Makes row `row` unit, `width` long; a row of zeros stays.
    private func writeUnit(to target: UnsafeMutablePointer<Float>, _ coordinate: (Int) -> Int) {
        withUnsafeTemporaryAllocation(of: Int.self, capacity: width) { integers in
            var squares = 0
            for axis in 0..<width {
                let value = coordinate(axis)
                integers[axis] = value
                squares += value * value
            }
            let length = squares == 0 ? 1 : Double(squares).squareRoot()
            for axis in 0..<width { target[axis] = Float(Double(integers[axis]) / length) }
        }
    }

    /// Writes one row, `width` long.
    public func write(row: Int, to target: UnsafeMutablePointer<Float>) {
        let axis = choice(8, row, among: width), sign = row % 2 == 0 ? 1 : -1
        switch recipe {
        case .clustered:
            let uniform = word(1, row) >> 32, parents = max(1, features / 8)
            let parent = Int((((uniform * uniform) >> 32) * UInt64(parents)) >> 32)
            let nearness = choice(3, row, among: 3) == 0 ? 0 : 7 + choice(2, row, among: 27)
            writeUnit(to: target) { (nearness * bell(4, parent, $0) + 16 * bell(5, row, $0)) * weight($0) }
        case .isotropic: writeUnit(to: target) { bell(5, row, $0) }
        case .duplicated: writeUnit(to: target) { bell(5, choice(6, row, among: max(1, features / 8)), $0) }
        case .nearTies: writeUnit(to: target) { bell(4, row % 8, $0) << (3 + row / 8 % 8 * 2) + bell(5, row, $0) >> 7 }
        case .tight: writeUnit(to: target) { bell(4, 0, $0) << 17 + bell(5, row, $0) >> 7 }
        case .zeros: writeUnit(to: target) { row % 3 == 0 ? 0 : bell(5, row, $0) }
        case .opposite: writeUnit(to: target) { sign * bell(5, row / 2, $0) }
        case .oneHot: writeUnit(to: target) { $0 == axis ? sign : 0 }
        case .sparse:
            let others = (choice(9, row, among: width), choice(10, row, among: width))
            writeUnit(to: target) { (($0 == axis ? 1 : 0) + ($0 == others.0 ? 1 : 0) + ($0 == others.1 ? 1 : 0)) * bell(5, row, $0) }
        case .spiked: writeUnit(to: target) { bell(5, row, $0) + ($0 == axis ? sign << 15 : 0) }
        case .oneULP:
            writeUnit(to: target) { bell(5, row / 16, $0) }
            target[axis] = Float(bitPattern: target[axis].bitPattern + 1)
        case .subnormal:
            for place in 0..<width { target[place] = place == axis ? Float(sign) : Float(bitPattern: UInt32(truncatingIfNeeded: word(5, row * width + place)) & 0x807F_FFFF) }
        }
    }

    /// Every row. // (features × width)
    public func rows() -> Matrix {
        let matrix = Matrix(uninitializedRows: features, columns: width)
        for row in 0..<features { write(row: row, to: matrix.base + row * width) }
        return matrix
    }

    /// Queries of eight kinds in turn, of any length but zero: a row, rows with little and much noise, a random direction,
    /// a negated row, a tiny row, the sum of two rows, a huge direction. // (count × width)
    public func queries(_ count: Int) -> Matrix {
        let queries = Matrix(uninitializedRows: count, columns: width), first = Matrix(uninitializedRows: 1, columns: width), second = Matrix(uninitializedRows: 1, columns: width)
        let spread = 209 * Double(width).squareRoot()
        for query in 0..<count {
            write(row: choice(16, query, among: features), to: first.base)
            write(row: choice(17, query, among: features), to: second.base)
            let target = queries.base + query * width
            for axis in 0..<width {
                let own = Double(first.base[axis]), probe = Double(bell(18, query, axis))
                target[axis] = switch query % 8 {
                case 0: Float(own)
                case 1: Float(own + probe / spread * 0.25)
                case 2: Float(own + probe / spread)
                case 3: Float(probe)
                case 4: Float(-own)
                case 5: Float(own * 0x1p-100)
                case 6: Float(own + Double(second.base[axis]))
                default: Float(probe * 0x1p100)
                }
            }
            if (0..<width).allSatisfy({ target[$0] == 0 }) {
                let hot = choice(19, query, among: width)
                for axis in 0..<width { target[axis] = axis == hot ? 1 : 0 }
            }
        }
        return queries
    }
}
