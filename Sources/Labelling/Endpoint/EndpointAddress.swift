import Diagnostics

/// The address of an endpoint as a user gives it: `http://host:8080/v1`, or with `/chat/completions` at its end.
struct EndpointAddress: Sendable, Equatable {
    /// Where questions are sent.
    let url: String
    /// The same without user, password and query, which may hold what others must not see.
    let location: String
    /// The parts that were left out.
    let secrets: [String]
    /// It is this machine: no proxy has any business there.
    let isLoopback: Bool

    init(parsing text: String) throws {
        func refuse(_ why: String) -> MonosemeError { MonosemeError("the endpoint's address \(why)", hint: "give one such as http://localhost:8080/v1 or https://host/v1/chat/completions") }
        guard text.utf8.count <= 2000 else { throw refuse("has \(text.utf8.count) bytes") }
        guard text.unicodeScalars.allSatisfy({ $0.value > 0x20 && $0.value < 0x7f && $0 != "\"" && $0 != "\\" && $0 != "<" && $0 != ">" && $0 != "`" }) else { throw refuse("holds characters that an address cannot hold") }
        guard let schemeEnd = text.range(of: "://") else { throw refuse("has no http:// or https:// at its beginning") }
        let scheme = text[..<schemeEnd.lowerBound].lowercased()
        // The name of another scheme is no secret; what follows it may be.
        guard scheme == "http" || scheme == "https" else { throw refuse("begins with \(quoted(scheme, limit: 20)), not with http:// or https://") }
        var rest = text[schemeEnd.upperBound...]
        if let fragment = rest.firstIndex(of: "#") { rest = rest[..<fragment] }
        var query: Substring = ""
        if let mark = rest.firstIndex(of: "?") { (query, rest) = (rest[mark...], rest[..<mark]) }
        let pathStart = rest.firstIndex(of: "/") ?? rest.endIndex
        var authority = rest[..<pathStart], path = String(rest[pathStart...]), user: Substring = ""
        if let at = authority.lastIndex(of: "@") { (user, authority) = (authority[..<at], authority[authority.index(after: at)...]) }
        let host = authority.last == "]" ? authority : authority.lastIndex(of: ":").map { colon in authority[colon...].contains("]") ? authority : authority[..<colon] } ?? authority
        guard !host.isEmpty, !host.contains("@") else { throw refuse("names no host") }
        while path.hasSuffix("/") { path.removeLast() }
        if path.isEmpty { path = "/v1" }
        if !path.hasSuffix("/chat/completions") { path += "/chat/completions" }
        isLoopback = host == "[::1]" || host.lowercased() == "localhost" || host.hasPrefix("127.") && host.allSatisfy { $0 == "." || $0.isNumber }
        location = "\(scheme)://\(authority)\(path)"
        url = "\(scheme)://\(user.isEmpty ? "" : "\(user)@")\(authority)\(path)\(query)"
        secrets = ([String(user)] + user.split(separator: ":", maxSplits: 1).map { String($0) } + [String(query)]
            + query.dropFirst().split(separator: "&").compactMap { part in part.firstIndex(of: "=").map { String(part[part.index(after: $0)...]) } }).filter { !$0.isEmpty }
    }
}

private extension String {
    func range(of needle: String) -> Range<Index>? {
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(needle) { return at..<index(at, offsetBy: needle.count) }
            at = index(after: at)
        }
        return nil
    }
}
