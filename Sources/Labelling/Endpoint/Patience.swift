import Formats
import Glibc

/// How often a call that failed is made again, and how long is waited before.
public struct Patience: Sendable {
    /// With the first.
    public var attempts: Int
    /// Seconds before the second attempt; twice as many before each that follows, a random share of up to a half taken off, so that many
    /// callers do not come back together.
    public var firstDelay: Double
    public var longestDelay: Double
    /// The longest that an endpoint may ask to wait, in seconds.
    public var longestRetryAfter: Double
    public var seed: UInt64
    /// Waits so many seconds, or until `stop` says yes.
    public var pause: @Sendable (_ seconds: Double, _ stop: @Sendable () -> Bool) -> Void

    public init(attempts: Int = 7, firstDelay: Double = 1, longestDelay: Double = 60, longestRetryAfter: Double = 300, seed: UInt64 = 0,
                pause: @escaping @Sendable (Double, @Sendable () -> Bool) -> Void = Patience.sleep) {
        (self.attempts, self.firstDelay, self.longestDelay, self.longestRetryAfter, self.seed, self.pause) = (max(1, attempts), firstDelay, longestDelay, longestRetryAfter, seed, pause)
    }

    /// Seconds to wait after the nth attempt (from 1) at a request.
    func delay(after attempt: Int, at requestSHA256: String) -> Double {
        let whole = min(longestDelay, firstDelay * Double(UInt64(1) << UInt64(min(attempt - 1, 40))))
        // The share depends on the request and not on the thread that sends it.
        let bits = SHA256.digest("\(seed) \(attempt) \(requestSHA256)").prefix(4).reduce(0) { $0 << 8 | UInt32($1) }
        return whole * (1 - 0.5 * Double(bits) / 4_294_967_296)
    }

    public static let sleep: @Sendable (Double, @Sendable () -> Bool) -> Void = { seconds, stop in
        let end = ContinuousClock.now + .seconds(seconds)
        while !stop() {
            let left = (end - .now) / .seconds(1)
            guard left > 0 else { return }
            usleep(UInt32(min(left, 0.05) * 1e6) + 1)
        }
    }
}

extension SHA256 {
    static func digest(_ text: String) -> [UInt8] {
        var hash = SHA256()
        hash.update(text)
        return hash.finalize()
    }
}
