public import Numerics
extension Trainer {
    func begin(with sample: borrowing Matrix) throws {}
    public func step(_ batch: borrowing Matrix) throws -> StepReport { stepsDone += 1; return StepReport() }
    public var inputsWantedForResampling: Int? { nil }
    public func resample(from inputs: borrowing Matrix) throws -> Int { 0 }
    public func trained() -> TrainedDictionary {
        TrainedDictionary(architecture: "standard", k: nil, appliesDecoderBiasToInput: true, encoder: Matrix(rows: plan.width, columns: plan.features), encoderBias: [Float](repeating: 0, count: plan.features),
                          decoder: Matrix(rows: plan.features, columns: plan.width), decoderBias: [Float](repeating: 0, count: plan.width), threshold: nil, inputScale: 1)
    }
}
struct Workspace { init(_ plan: TrainingPlan, _ design: Design) {} }
