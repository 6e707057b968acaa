import Diagnostics
import Synchronization

/// Money that may be spent and no more: what a call may cost at worst is set aside before it is sent.
public final class Budget: Sendable {
    public struct State: Sendable, Equatable {
        /// For answers, by the tokens metered. US dollars.
        public var spent = 0.0
        /// At most, for questions that were sent and whose answers never came: some endpoints charge for them.
        public var lost = 0.0
        /// For what is under way, at most.
        public var reserved = 0.0
    }

    /// US dollars; `nil`: as much as it takes.
    public let limit: Double?
    private let state = Mutex(State())

    public init(limit: Double?) { self.limit = limit }

    public var current: State { state.withLock { $0 } }
    /// What is left, with nothing under way; `nil` where there is no limit.
    public var left: Double? { limit.map { limit in state.withLock { max(0, limit - $0.spent - $0.lost) } } }

    /// Sets money aside, unless that would pass the limit.
    func reserve(_ amount: Double) -> Bool {
        state.withLock { state in
            // A sum of many small amounts may pass the limit by its rounding alone.
            if let limit, state.spent + state.lost + state.reserved + amount > limit * (1 + 1e-12) { return false }
            state.reserved += amount
            return true
        }
    }

    /// Gives back what was set aside, and notes what of it was spent, or may have been.
    func settle(reserved amount: Double, spent: Double = 0, lost: Double = 0) {
        state.withLock { state in
            state.reserved = max(0, state.reserved - amount)
            state.spent += spent
            state.lost += lost
        }
    }

    func exhausted(by amount: Double) -> MonosemeError {
        let state = current
        var message = "the budget of \(dollars(limit ?? 0)) does not reach for the next call: \(dollars(state.spent)) are spent"
        if state.lost > 0 { message += ", up to \(dollars(state.lost)) went for calls that were not answered" }
        return MonosemeError("\(message), and the call may cost up to \(dollars(amount))", hint: "run the same command again with a larger --budget: what was answered is kept and not asked again")
    }
}
