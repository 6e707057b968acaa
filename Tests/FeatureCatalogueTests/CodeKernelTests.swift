import Kernels
import Testing

/// Codes of unit rows and what the kernels make of them, beside a plain twin that reads the bytes as vector_code.h describes them.
struct CodeKernelTests {
    /// Rows, their codes, and the codes read back.
    private struct Coded {
        let width: Int
        let rows: [[Float]]
        let panels: [UInt8]
        let low: [UInt8]

        init(_ rows: [[Float]], first: Int = 0) {
            (self.rows, width) = (rows, rows[0].count)
            let panelBytes = kernel_code_panel_bytes(width), rowBytes = kernel_code_row_bytes(width)
            var panels = [UInt8](repeating: 0, count: (rows.count + 63) / 64 * panelBytes), low = [UInt8](repeating: 0, count: rows.count * rowBytes)
            for panel in 0..<(rows.count + 63) / 64 {
                let own = Array(rows[(64 * panel)..<min(rows.count, 64 * panel + 64)])
                panels.withUnsafeMutableBufferPointer { panels in
                    low.withUnsafeMutableBufferPointer { low in
                        kernel_code_rows(own.flatMap { $0 }, own.count, own[0].count, first + 64 * panel, panels.baseAddress! + panel * panelBytes, low.baseAddress! + 64 * panel * rowBytes)
                    }
                }
            }
            (self.panels, self.low) = (panels, low)
        }

        var length: Int { kernel_rotated(width) }

        private func float(_ bytes: [UInt8], _ at: Int) -> Float { bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: at, as: Float.self) } }

        /// High halves, a₄ and ‖r₄‖ of a row.
        func coarse(_ row: Int) -> (codes: [Int], step: Float, rest: Float) {
            let start = row / 64 * kernel_code_panel_bytes(width), r = row % 64, half = length / 2
            let codes = (0..<length).map { i -> Int in
                let j = i % half, byte = panels[start + 256 * (j / 4) + 4 * r + j % 4]
                return Int(i < half ? byte & 15 : byte >> 4)
            }
            return (codes, float(panels, start + 64 * half + 4 * r), float(panels, start + 64 * half + 256 + 4 * r))
        }

        /// All eight bits, a₈ and ‖r₈‖ of a row.
        func fine(_ row: Int) -> (codes: [Int], step: Float, rest: Float) {
            let start = row * kernel_code_row_bytes(width), half = length / 2, high = coarse(row).codes
            let codes = (0..<length).map { i in 16 * high[i] + Int(i < half ? low[start + i] & 15 : low[start + i - half] >> 4) }
            return (codes, float(low, start + half), float(low, start + half + 4))
        }
    }

    private struct Answer: Equatable {
        var products: [Int32], upper: [Float], estimates: [Float], errors: [Float], best: Set<UInt32>
    }

    private func ask(_ coded: Coded, _ query: [Float], level: Int32, allowed: [UInt64]? = nil, wanted: Int = 5) -> Answer {
        let count = coded.rows.count, padded = (count + 63) / 64 * 64
        var codes = [Int8](repeating: 0, count: coded.length), products = [Int32](repeating: 0, count: padded), upper = [Float](repeating: 0, count: padded)
        var estimates = [Float](repeating: 0, count: count), errors = estimates, rows = (0..<UInt32(count)).map { $0 }
        var bestEstimates = [Float](repeating: 0, count: 2 * wanted + 128), bestRows = [UInt32](repeating: 0, count: 2 * wanted + 128)
        var found: Set<UInt32> = [], sums = rows
        codes.withUnsafeMutableBufferPointer { codes in
            var q = code_query()
            kernel_code_query(query, query.count, codes.baseAddress, &q)
            bestEstimates.withUnsafeMutableBufferPointer { bestEstimates in
                bestRows.withUnsafeMutableBufferPointer { bestRows in
                    var best = code_best(estimates: bestEstimates.baseAddress, rows: bestRows.baseAddress, count: 0, wanted: wanted, capacity: bestRows.count, threshold: -.infinity)
                    kernel_code_scan(level, &q, coded.panels, padded / 64, 0, allowed, &products, &upper, &best)
                    kernel_code_shrink(&best)
                    found = Set(bestRows[..<best.count])
                }
            }
            kernel_code_refine(level, &q, coded.low, 0, &rows, count, products, &estimates, &errors, &sums)
        }
        #expect(rows.allSatisfy { sums[Int($0)] == kernel_code_vector_sum(coded.rows[Int($0)], coded.width, Int($0)) })
        return Answer(products: Array(products[..<count]), upper: Array(upper[..<count]), estimates: estimates, errors: errors, best: found)
    }

    private func dot(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
    private func unit(_ x: [Float]) -> [Float] { let length = dot(x, x).squareRoot(); return length == 0 ? x : x.map { Float(Double($0) / length) } }

    private func random(_ count: Int, width: Int, seed: UInt64) -> [[Float]] {
        var random = Seeded(seed)
        return (0..<count).map { _ in unit((0..<width).map { _ in (0..<4).reduce(Float(0)) { sum, _ in sum + Float.random(in: -1...1, using: &random) } }) }
    }

    private func rotated(_ x: [Float]) -> [Float] {
        var y = [Float](repeating: 0, count: kernel_rotated(x.count))
        kernel_rotate(x, x.count, &y)
        return y
    }

    private static let widths = [1, 3, 64, 67, 512, 576, 2304]

    @Test(arguments: widths) func `a rotation keeps inner products`(width: Int) {
        let vectors = random(6, width: width, seed: 3), turned = vectors.map(rotated)
        for a in 0..<6 { for b in 0..<6 { #expect(abs(dot(turned[a], turned[b]) - dot(vectors[a], vectors[b])) < 2e-6) } }
    }

    @Test(arguments: widths) func `what a code leaves of a row is as long as it says`(width: Int) {
        var rows = random(70, width: width, seed: UInt64(width))
        rows[7] = rows[7].map { _ in 0 }
        rows[8] = rows[8].indices.map { $0 == 0 ? 1 : 0 }
        let coded = Coded(rows)
        for row in rows.indices where row != 7 {
            let y = rotated(rows[row])
            for (code, middle) in [(coded.coarse(row), 7.5), (coded.fine(row), 127.5)] {
                let rest = zip(y, code.codes).reduce(0.0) { let r = Double($1.0) - Double(code.step) * (Double($1.1) - middle); return $0 + r * r }.squareRoot()
                #expect(Double(code.rest) >= rest && Double(code.rest) <= rest * 1.00001 + 1e-7)
            }
            #expect(coded.fine(row).rest <= coded.coarse(row).rest + 1e-7)
        }
        #expect(coded.coarse(7).rest == -1)
        if width >= 64 { #expect(rows.indices.filter { $0 > 8 }.allSatisfy { coded.coarse($0).rest < 0.14 && coded.fine($0).rest < 0.07 }) }
    }

    @Test(arguments: widths) func `products are those of the codes, and every true product lies within the bounds`(width: Int) {
        let rows = random(66, width: width, seed: UInt64(width) + 1), coded = Coded(rows)
        for query in random(6, width: width, seed: 8) + rows.prefix(2) {
            let y = rotated(query), greatest = y.map(abs).max()!, step = greatest / 127
            let t = y.map { Int(($0 * (1 / step)).rounded(.toNearestOrEven)) }
            let answer = ask(coded, query, level: 0)
            for row in rows.indices {
                #expect(Int(answer.products[row]) == zip(t, coded.coarse(row).codes).reduce(0) { $0 + $1.0 * $1.1 })
                let truth = dot(query, rows[row])
                #expect(truth <= Double(answer.upper[row]))
                #expect(abs(truth - Double(answer.estimates[row])) <= Double(answer.errors[row]))
            }
            #expect(answer.best.count == 5)
        }
    }

    /// The catalogue holds unit rows; a damaged one may not, and must not hide behind a bound that takes them for granted.
    @Test(arguments: [64, 512], [0.5, 1.01, 3, 1e6, 1e18, .infinity, .nan] as [Float]) func `rows that are not unit are bounded, too`(width: Int, length: Float) {
        let rows = random(64, width: width, seed: 21).map { $0.map { $0 * length } }, coded = Coded(rows)
        for query in random(8, width: width, seed: 22) + random(64, width: width, seed: 21).prefix(8) {
            let answer = ask(coded, query, level: kernel_code_best_level())
            #expect(answer == ask(coded, query, level: 0))
            for row in rows.indices {
                let truth = dot(query, rows[row])
                #expect(truth.isFinite ? truth <= Double(answer.upper[row]) : answer.upper[row] == .infinity)
            }
        }
    }

    /// A row whose rest is the same in every coordinate but for its sign, and the query of just those signs: no step of
    /// Cauchy and Schwarz's loses anything, and the query's code is exact. A bound 1 % tighter would be wrong here.
    @Test func `the coarse bound is attained, and holds`() {
        let width = 512
        var random = Seeded(11), greatest = 0.0
        let inverse = (0..<width).map { axis in rotated((0..<width).map { $0 == axis ? 1 : 0 }) } // Rᵀ by its rows
        func turnedBack(_ y: [Float]) -> [Float] { inverse.map { Float(dot($0, y)) } }
        for deviation in stride(from: 2.2, through: 3.4, by: 0.05) {
            // Codes of a bell, in pairs that are the same but for the sign of the rest: rest and code are at right angles.
            var y = [Float](repeating: 0, count: width), signs = y
            for pair in 0..<width / 2 {
                let bell = (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &random) }
                let centre = max(-7.5, min(7.5, (bell * 8 / deviation).rounded(.down) + 0.5))
                for side in 0..<2 {
                    signs[2 * pair + side] = side == 0 ? 1 : -1
                    y[2 * pair + side] = Float(centre) + 0.25 * signs[2 * pair + side]
                }
            }
            let row = unit(turnedBack(y)), query = unit(turnedBack(signs)), coded = Coded([row]), answer = ask(coded, query, level: 0)
            let truth = dot(query, row), code = coded.coarse(0)
            // q̂ and the rest of the query, as the kernel has them.
            let t = rotated(query), step = Double(t.map(abs).max()! / 127), coarse = step * Double(code.step) * zip(t, code.codes).reduce(0) { $0 + (Double($1.0) / step).rounded() * (Double($1.1) - 7.5) }
            #expect(truth <= Double(answer.upper[0]))
            greatest = max(greatest, (truth - coarse) / (Double(answer.upper[0]) - coarse))
        }
        #expect(greatest > 0.995)
    }

    @Test(arguments: widths, [1, 3] as [Int32]) func `every level gives the same bits`(width: Int, level: Int32) {
        guard level <= kernel_code_best_level() else { return }
        var rows = random(130, width: width, seed: 5)
        rows[3] = rows[3].map { _ in 0 }
        let coded = Coded(rows)
        for (place, query) in random(6, width: width, seed: 6).enumerated() {
            let allowed: [UInt64]? = place % 2 == 0 ? nil : [0x5555_5555_5555_5555, 0, .max]
            #expect(ask(coded, query, level: level, allowed: allowed) == ask(coded, query, level: 0, allowed: allowed))
        }
    }

    @Test func `rows that may not be found have no bound`() {
        let rows = random(150, width: 20, seed: 9), coded = Coded(rows)
        let allowed: [UInt64] = [0b1010, 0, 0]
        let answer = ask(coded, rows[0], level: kernel_code_best_level(), allowed: allowed)
        #expect(rows.indices.filter { answer.upper[$0] > -.infinity } == [1, 3])
        #expect(answer.best == [1, 3])
    }

    @Test(arguments: [1, 15, 16, 17, 64, 1000]) func `what reaches a threshold is selected`(count: Int) {
        var random = Seeded(UInt64(count))
        let upper = (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
        for threshold in [-2, 0, 0.5, upper[0], 2] {
            var rows = [UInt32](repeating: 0, count: count)
            let found = kernel_code_select(upper, count, threshold, &rows)
            #expect(rows[..<found].map(Int.init) == upper.indices.filter { upper[$0] >= threshold })
        }
    }

    @Test(arguments: [1, 67, 512]) func `a changed byte, and a panel or row in another's place, is found`(width: Int) {
        let coded = Coded(random(128, width: width, seed: 4), first: 640), panelBytes = kernel_code_panel_bytes(width), rowBytes = kernel_code_row_bytes(width)
        #expect(kernel_code_first_bad_panel(coded.panels, 2, width, 640) == 2)
        #expect(kernel_code_first_bad_row(coded.low, 128, width, 640, nil) == 128)
        #expect(kernel_code_first_bad_row(coded.low, 1, width, 0, [640]) == 1)
        #expect(kernel_code_first_bad_panel(coded.panels, 2, width, 576) == 0)
        #expect(kernel_code_first_bad_row(coded.low, 128, width, 641, nil) == 0)
        // All but the zeros at a panel's end.
        for place in stride(from: 0, to: panelBytes - 56, by: 7) {
            var panels = coded.panels
            panels[panelBytes + place] ^= 1 << UInt8(place % 8)
            #expect(kernel_code_first_bad_panel(panels, 2, width, 640) == 1)
        }
        for place in 0..<rowBytes {
            var low = coded.low
            low[5 * rowBytes + place] ^= 1 << UInt8(place % 8)
            #expect(kernel_code_first_bad_row(low, 128, width, 640, nil) == 5)
        }
    }
}
