import Kernels

/// Vectors that are made against the codes themselves: what the search believes of one row is as far from the truth as the
/// bound of vector_code.h allows, all but a few thousandths.
public struct AdversarialCodes {
    public let width: Int
    /// The orthonormal R of rotate.h is a transform after these signs, and undone by the transform before them.
    private let signs: [Float]
    private var random = WordStream(seed: 17)

    /// - Parameter width: a multiple of 64, so that a rotated vector is no longer than the vector.
    public init(width: Int) {
        precondition(width % 64 == 0)
        self.width = width
        let block = width & -width
        var unit = [Float](repeating: 0, count: width), image = unit
        signs = (0..<width).map { place in
            unit[place] = 1
            kernel_rotate(unit, width, &image)
            unit[place] = 0
            // The first of a transform's functions is constant.
            return image[place / block * block] < 0 ? -1 : 1
        }
    }

    /// R·x
    private func rotated(_ x: [Float]) -> [Float] {
        var y = x
        kernel_rotate(x, width, &y)
        return y
    }

    /// R⁻¹·y
    private func restored(_ y: [Double]) -> [Float] {
        rotated(zip(y, signs).map { Float($0) * $1 }).enumerated().map { $1 * signs[$0] }
    }

    /// What a code keeps of a row, read as vector_code.h says: R·x = step · code + rest.
    private struct Code {
        var coarse: (codes: [Double], step: Double, rest: Double)
        var fine: (codes: [Double], step: Double, rest: Double)
    }

    private func code(_ row: [Float]) -> Code {
        var panel = [UInt8](repeating: 0, count: kernel_code_panel_bytes(width)), low = [UInt8](repeating: 0, count: kernel_code_row_bytes(width))
        kernel_code_rows(row, 1, width, 0, &panel, &low)
        let half = width / 2
        func float(_ bytes: [UInt8], _ offset: Int) -> Double { bytes.withUnsafeBytes { Double($0.loadUnaligned(fromByteOffset: offset, as: Float.self)) } }
        let high = (0..<width).map { place in
            let byte = panel[256 * (place % half / 4) + place % 4]
            return Int(place < half ? byte & 15 : byte >> 4)
        }
        let both = (0..<width).map { place in
            let nibble = place < half ? low[place] & 15 : low[place - half] >> 4
            return 16 * high[place] + Int(nibble)
        }
        return Code(coarse: (high.map { Double($0) - 7.5 }, float(panel, 64 * half), float(panel, 64 * half + 4 * 64)),
                    fine: (both.map { Double($0) - 127.5 }, float(low, half), float(low, half + 4)))
    }

    /// Which term of the bound is attained.
    public enum Term: Sendable, CaseIterable { case coarseRest, fineRest, queryError }

    public struct Attack {
        /// Unit rows. // (features × width)
        public let rows: [[Float]]
        /// Of length 1 but for rounding.
        public let query: [Float]
        /// The feature that the codes speak against, the last of the true `k` nearest.
        public let victim: Int
        /// The true nearest, the victim last.
        public let nearest: [Int]
    }

    /// - Parameter spike: how much of the victim's length is in one rotated coordinate: what codes of one step keep badly.
    public mutating func attack(on term: Term, spike: Double, k: Int) -> Attack {
        // The rotated victim x, the query y, and the direction u in which the query's own code sees the other rows.
        let x: [Float], y: [Double], u: [Double]
        switch term {
        case .coarseRest, .fineRest:
            var coordinates = direction().map { $0 * (1 - spike * spike).squareRoot() }
            coordinates[width / 3] += spike
            x = unit(restored(coordinates).map(Double.init))
            let code = code(x), kept = term == .coarseRest ? code.coarse : code.fine, own = rotated(x)
            let rest = (0..<width).map { Double(own[$0]) - kept.step * kept.codes[$0] }
            // A query along the rest, in steps that its own code keeps without any.
            let greatest = rest.reduce(0) { max($0, abs($1)) }
            y = normalised(rest.map { (127 * $0 / greatest).rounded() })
            u = y
        case .queryError:
            // A row that is ±c everywhere is kept without a rest; a query loses all coordinates below half of its step.
            let pattern = direction().map { $0 < 0 ? -1.0 : 1.0 }
            x = unit(restored(pattern).map(Double.init))
            y = normalised(pattern.enumerated().map { $0 == 0 ? 127 * $1 : 0.49 * $1 })
            u = normalised(pattern.enumerated().map { $0 == 0 ? $1 : 0 })
        }
        let query = unit(restored(y).map(Double.init)), cosine = product(query, x)

        // Rows at given cosines to the query that its code sees as they are, the victim among them: k − 1 before it, one
        // closely behind, and more than a search looks at twice that look better than the victim.
        let before = (1..<k).map { 1 + 0.1 * Double($0) / Double(k) }, behind = (0..<64).map { 0.5 + 0.4 * Double($0) / 64 }
        let wanted = (before + [0.998] + behind).map { $0 * cosine }
        let along = product(u, y)
        var rows = wanted.map { wanted in
            // w has no part along y, so that the row's cosine is that of its part along u.
            var w = direction()
            let part = product(w, y)
            w = normalised((0..<width).map { w[$0] - part * y[$0] })
            let share = wanted / along, across = product(u, w)
            // ‖share · u + rest · w‖ = 1
            let rest = (share * share * (across * across - 1) + 1).squareRoot() - share * across
            let row = (0..<width).map { share * u[$0] + rest * w[$0] }
            return unit(restored(row).map(Double.init))
        }
        rows.insert(x, at: 60)
        let order = rows.indices.sorted { product(query, rows[$0]) > product(query, rows[$1]) }
        return Attack(rows: rows, query: query, victim: 60, nearest: Array(order.prefix(k)))
    }

    /// The part of the bound on the error of a row's estimate that its true error fills: at most 1.
    public func filled(_ term: Term, _ row: [Float], _ query: [Float]) -> Double {
        var codes = [Int8](repeating: 0, count: width), asked = code_query()
        let code = code(row), kept = term == .fineRest ? code.fine : code.coarse
        return codes.withUnsafeMutableBufferPointer { codes in
            kernel_code_query(query, width, codes.baseAddress!, &asked)
            let step = 2 * Double(asked.half_step) * kept.step, bound = Double(asked.length) * kept.rest + Double(asked.error)
            let estimate = step * product(codes.map(Double.init), kept.codes)
            return (product(query, row) - estimate) / bound
        }
    }

    private mutating func direction() -> [Double] {
        normalised((0..<width).map { _ in (0..<12).reduce(-6.0) { sum, _ in sum + Double.random(in: 0..<1, using: &random) } })
    }

    private func product(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
    private func product(_ a: [Float], _ b: [Float]) -> Double { zip(a, b).reduce(0) { $0 + Double($1.0) * Double($1.1) } }
    private func normalised(_ x: [Double]) -> [Double] {
        let length = product(x, x).squareRoot()
        return x.map { $0 / length }
    }
    private func unit(_ x: [Double]) -> [Float] { normalised(x).map { Float($0) } }
}
