import FeatureCatalogue

/// What became of features that were to be labelled or scored.
public struct LabellingReport: Sendable {
    public struct Feature: Sendable, Equatable {
        public enum State: Sendable, Equatable {
            case labelled
            /// The model says that it does not know.
            case unknown
            /// No answer was a label; why the last was none.
            case malformed(String)
            /// It was not asked about.
            case omitted(String)
        }

        public let name: FeatureName
        public var state: State
        public var label: String?
        /// Of the label.
        public var id: Int?
        public var scores: [Score] = []
        /// Methods by which it was not scored, and why.
        public var unscored: [Unscored] = []
    }

    public struct Unscored: Sendable, Equatable {
        public let method: ScoringMethod
        public let reason: String
    }

    public struct Score: Sendable, Equatable {
        public let method: ScoringMethod
        /// Balanced accuracy or correlation; `nil`: undefined.
        public let value: Double?
        public let interval: ClosedRange<Double>?
        public let examples: Int
        /// Examples without a usable answer.
        public let unanswered: Int
        /// The same with another feature's label on this one's examples, and with this label on another's.
        public var randomLabel: Double?
        public var shuffledFeature: Double?
    }

    /// A method's means over features.
    public struct Mean: Sendable, Equatable {
        public let method: ScoringMethod
        public let features: Int
        public let value: Double
        /// Over the features that have them; `nil` where none has.
        public let randomLabel: Double?
        public let shuffledFeature: Double?
    }

    /// In order of index.
    public var features: [Feature] = []
    /// Asked in this run.
    public var progress = AskingProgress()
    /// What ended it early: the budget, the endpoint, the person at the keyboard. What is in the report is kept.
    public var problem: (any Error)?
    /// Why there are no baselines, where they were wanted.
    public var missingBaselines: String?

    public func count(_ isWanted: (Feature.State) -> Bool) -> Int { features.count { isWanted($0.state) } }

    public var means: [Mean] {
        ScoringMethod.allCases.compactMap { method in
            let scores = features.flatMap(\.scores).filter { $0.method == method }
            func mean(_ values: [Double]) -> Double? { values.isEmpty ? nil : values.reduce(0, +) / Double(values.count) }
            let values = scores.compactMap(\.value)
            guard let value = mean(values) else { return nil }
            return Mean(method: method, features: values.count, value: value, randomLabel: mean(scores.compactMap(\.randomLabel)), shuffledFeature: mean(scores.compactMap(\.shuffledFeature)))
        }
    }
}
