import Glibc

/// Student's t distribution.
public enum StudentT {
    /// P(T > t) with `freedom` > 0 degrees of freedom; relative accuracy is kept far out in the upper tail.
    ///
    /// ½·I(ν/(ν + t²); ν/2, ½) for positive t, by the continued fraction of the incomplete beta function (Abramowitz & Stegun
    /// 26.5.8 and 26.7.1), taken from the side where it converges within some fifty terms.
    public static func upperTail(_ t: Double, freedom: Double) -> Double {
        precondition(freedom > 0)
        if t == 0 || t.isNaN { return 0.5 }
        if t < 0 { return 1 - upperTail(-t, freedom: freedom) }
        if t.isInfinite { return 0 }
        let a = freedom / 2, b = 0.5, y = t * t / (freedom + t * t), x = freedom / (freedom + t * t)
        let front = exp(lgamma(a + b) - lgamma(a) - lgamma(b) - a * log1p(t * t / freedom) + b * log(y))
        return x < (a + 1) / (a + b + 2) ? 0.5 * front * fraction(a, b, x) / a : 0.5 * (1 - front * fraction(b, a, y) / b)
    }

    /// The continued fraction, by Lentz's method.
    private static func fraction(_ a: Double, _ b: Double, _ x: Double) -> Double {
        let tiny = 1e-300
        func held(_ value: Double) -> Double { abs(value) < tiny ? tiny : value }
        var c = 1.0, d = 1 / held(1 - (a + b) * x / (a + 1)), value = d
        for term in 1...10_000 {
            let m = Double(term)
            for numerator in [m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))] {
                d = 1 / held(1 + numerator * d)
                c = held(1 + numerator / c)
                value *= d * c
            }
            if abs(d * c - 1) < 1e-15 { break }
        }
        return value
    }
}
