public import Numerics

extension SparseAutoencoder {
    /// What the encoder's columns are multiplied with, in the activations' own units (tokens × width): `x` normalised as the
    /// autoencoder does it, less b_dec where it subtracts that.
    ///
    /// For measuring directions: an activation's length, and a factor over the whole data set, are not in it.
    public func encoderInput(of x: borrowing Matrix) -> Matrix {
        precondition(x.columns == width)
        let input = Matrix(uninitializedRows: x.rows, columns: width)
        for token in 0..<x.rows {
            let from = x.base + token * width, to = input.base + token * width
            let change = InputChange(configuration.normalization, from, width)
            for column in 0..<width {
                to[column] = (from[column] - change.shift) * change.scale - (configuration.appliesDecoderBiasToInput ? decoderBias[column] : 0)
            }
        }
        return input
    }
}
