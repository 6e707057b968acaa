// The eleven intervals of Towards Monosemanticity, appendix "Feature density and interpretability": centres evenly spaced from 0 to the
// greatest activation; a firing belongs to the nearest.

/// The paper's number of intervals.
public let activationIntervals = 11

/// The interval of an activation, from 0; one half-way between two centres goes to the lower.
public func activationInterval(of value: Float, maximum: Float) -> Int {
    let last = activationIntervals - 1
    return min(last, max(0, Int((value / maximum * Float(last) - 0.5).rounded(.up))))
}

public func intervalCentre(_ interval: Int, maximum: Float) -> Float { maximum * Float(interval) / Float(activationIntervals - 1) }
