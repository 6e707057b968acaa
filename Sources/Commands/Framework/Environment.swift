import Glibc

/// The environment variables: the process's own, or a table for tests.
struct Environment: Sendable {
    private let lookup: @Sendable (String) -> String?

    static let process = Environment { name in getenv(name).map { String(cString: $0) } }

    init(_ table: [String: String]) { self.init { table[$0] } }

    private init(lookup: @escaping @Sendable (String) -> String?) { self.lookup = lookup }

    /// The variable's value; `nil` where it is not set or empty.
    subscript(name: String) -> String? { lookup(name).flatMap { $0.isEmpty ? nil : $0 } }
}
