import SQLite

/// Puts labels that came from elsewhere into the ledger, one after the other.
public struct ImportLabelWriter: ~Copyable {
    private let catalogue: Catalogue
    private let run: Run
    private let basis: Int
    private var insert, residues: Statement
    private var previous: [Int: Int] = [:]
    public private(set) var count = 0

    private init(_ catalogue: Catalogue, _ run: Run, _ basis: Int, _ insert: consuming Statement, _ residues: consuming Statement) {
        (self.catalogue, self.run, self.basis) = (catalogue, run, basis)
        self.insert = insert
        self.residues = residues
    }

    public init(_ catalogue: Catalogue, _ run: Run) throws {
        self.init(catalogue, run, try catalogue.labelBasis(of: run.dictionary), try Statement("""
            INSERT INTO label (feature_id, text, author, created_at, supersedes, author_kind, method, status, rule, basis_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """, on: catalogue.connection), try Statement("INSERT INTO import_label (label_id, residue) VALUES (?, ?)", on: catalogue.connection))
    }

    /// - Throws: where the text or the author are no such thing.
    public mutating func add(_ entry: LabelEntry, residue: String, at time: String) throws {
        let entry = try catalogue.checked(entry), feature = run.dictionary.featureID(entry.feature.index)
        try insert.run(.init(feature), .text(entry.text), .text(entry.author), .text(time), .init(previous[feature]), .text(entry.authorKind.rawValue), .text(entry.method), .text(entry.status.rawValue),
                       .init(entry.rule?.description), .init(basis))
        let id = catalogue.connection.lastInsertedRow
        try residues.run(.init(id), .text(residue))
        previous[feature] = id
        count += 1
    }
}
