import Diagnostics
public import Numerics
import OpenBLAS

/// Makes sure that products can be computed. Called before the first, so that a missing library is an error and not a crash.
public func loadLinearAlgebra() throws {
    if let problem = openblas_load() {
        throw MonosemeError("OpenBLAS cannot be loaded: \(String(cString: problem))", hint: "install it: apt-get install libopenblas0")
    }
}

/// `c = alpha · a · b + beta · c`, or with `transposeB` `a · bᵀ`, on row-major blocks given by pointer and shape.
///
/// a is (m × k), b is (k × n) or transposed (n × k), c is (m × n); `lda`, `ldb`, `ldc` are row strides in elements.
@inlinable
public func sgemm(
    m: Int, n: Int, k: Int, alpha: Float = 1, a: UnsafePointer<Float>, lda: Int? = nil, b: UnsafePointer<Float>, ldb: Int? = nil,
    transposeA: Bool = false, transposeB: Bool = false, beta: Float = 0, c: UnsafeMutablePointer<Float>, ldc: Int? = nil
) {
    _sgemm(m, n, k, alpha, a, lda ?? (transposeA ? m : k), b, ldb ?? (transposeB ? k : n), transposeA, transposeB, beta, c, ldc ?? n)
}

@usableFromInline
func _sgemm(
    _ m: Int, _ n: Int, _ k: Int, _ alpha: Float, _ a: UnsafePointer<Float>, _ lda: Int, _ b: UnsafePointer<Float>, _ ldb: Int,
    _ transposeA: Bool, _ transposeB: Bool, _ beta: Float, _ c: UnsafeMutablePointer<Float>, _ ldc: Int
) {
    guard m > 0, n > 0 else { return }
    openblas_sgemm(transposeA, transposeB, Int32(m), Int32(n), Int32(k), alpha, a, Int32(max(1, lda)), b, Int32(max(1, ldb)), beta, c, Int32(max(1, ldc)))
}

/// `a · b`: (m × k) · (k × n) → (m × n).
public func product(_ a: borrowing Matrix, _ b: borrowing Matrix) -> Matrix {
    precondition(a.columns == b.rows)
    let c = Matrix(uninitializedRows: a.rows, columns: b.columns)
    sgemm(m: a.rows, n: b.columns, k: a.columns, a: a.base, b: b.base, c: c.base)
    return c
}

/// `a · bᵀ`: (m × k) · (n × k)ᵀ → (m × n).
public func product(_ a: borrowing Matrix, transposed b: borrowing Matrix) -> Matrix {
    precondition(a.columns == b.columns)
    let c = Matrix(uninitializedRows: a.rows, columns: b.rows)
    sgemm(m: a.rows, n: b.rows, k: a.columns, a: a.base, b: b.base, transposeB: true, c: c.base)
    return c
}
