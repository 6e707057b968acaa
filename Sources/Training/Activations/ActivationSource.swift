public import Diagnostics

/// Where activations come from: rows of `width` numbers in an order of their own, read forwards from any place.
///
/// One thread at a time calls it; it spreads its own work over the threads it is given. What a row holds does not depend
/// on the number of threads; where a model computes it, it may depend in its last bits on the place the read began from,
/// so whoever wants the same bits again begins from the same places.
public protocol ActivationSource: AnyObject {
    /// The files or the model and its hook, for messages.
    var name: String { get }
    /// Numbers to a row.
    var width: Int { get }
    /// How many rows there are, as far as is known.
    var rowCount: ActivationCount { get }
    /// By how many rows a read may exceed what was asked for.
    var overshoot: Int { get }
    /// The place of the row that is read next.
    var position: ActivationPosition { get }

    /// What decides the rows: equal for sources that give the same ones.
    /// - Throws: `MonosemeError` for a file that cannot be read.
    func fingerprint() throws -> String

    /// Goes to a place that `position` once told.
    /// - Throws: `MonosemeError` where the source ends before it, or cannot go back.
    func seek(to position: ActivationPosition) throws

    /// Reads rows on from `position` until there are `rows` of them, or more by `overshoot` at most, and writes them to
    /// `target` (rows × width). Fewer only at the end.
    /// - Returns: how many; 0 at the end.
    /// - Throws: `MonosemeError` for a number that is NaN or infinite, naming its place.
    func read(_ rows: Int, into target: UnsafeMutablePointer<Float>, threads: Int) throws -> Int

    /// What to say of a source without a row, once it has been read.
    var emptiness: MonosemeError { get }
}

/// How many rows a source has.
public enum ActivationCount: Sendable, Equatable {
    case exactly(Int)
    /// From the bytes of its text and what has been read of them.
    case about(Int)
    /// Standard input, packed files, or nothing read yet.
    case unknown
}

/// A place between two rows of a source.
public struct ActivationPosition: Sendable, Equatable {
    /// Rows before it.
    public var rows = 0
    /// In a corpus: documents before the one it stands in or before.
    public var documents = 0
    /// In a corpus: tokens of that document before it.
    public var tokens = 0

    public static let start = ActivationPosition()

    public init(rows: Int = 0, documents: Int = 0, tokens: Int = 0) { (self.rows, self.documents, self.tokens) = (rows, documents, tokens) }
}
