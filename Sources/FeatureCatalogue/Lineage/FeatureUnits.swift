/// The features of a dictionary, each by itself or together with those that came of the same coarser feature.
public struct FeatureUnits: Sendable {
    public struct Unit: Sendable, Equatable {
        /// The parent's index in the coarser dictionary; `nil`: no parent is sure enough.
        public let family: Int?
        /// Ascending.
        public fileprivate(set) var members: [Int]

        /// Whether features were put together.
        public var isFamily: Bool { members.count > 1 }
    }

    /// In order of their first members.
    public private(set) var units: [Unit] = []
    /// Of each feature, the place of its unit.
    public let unitOf: [Int]

    /// Each feature by itself.
    public init(features: Int) {
        units = (0..<features).map { Unit(family: nil, members: [$0]) }
        unitOf = Array(0..<features)
    }

    /// - Parameter parents: of each feature, the parent that it is counted under (`Catalogue.surestParents`).
    public init(parents: [Int?]) {
        var places: [Int: Int] = [:], unitOf: [Int] = []
        for (feature, parent) in parents.enumerated() {
            let place = parent.flatMap { places[$0] } ?? units.count
            if place == units.count { units.append(Unit(family: parent, members: [])) }
            units[place].members.append(feature)
            if let parent { places[parent] = place }
            unitOf.append(place)
        }
        self.unitOf = unitOf
    }
}
