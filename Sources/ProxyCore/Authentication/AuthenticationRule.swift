// SPDX-License-Identifier: Apache-2.0

/// One line of the ordered list that says who may log in how; the meaning and the words are those
/// of PostgreSQL's `pg_hba.conf`.
package struct AuthenticationRule: Equatable, Sendable {
    /// The kind of connection: by TCP, which is the only way in that can be configured.
    package enum Connection: String, Equatable, Sendable, CaseIterable {
        /// Encrypted or not.
        case host
        case hostssl
        case hostnossl
    }

    /// How a client proves who it is.
    package enum Method: String, Equatable, Sendable, CaseIterable {
        /// A password, by SCRAM; the role's secret must be a SCRAM secret.
        case scramSHA256 = "scram-sha-256"
        /// A password, by MD5 if the role's secret is MD5's, otherwise by SCRAM.
        case md5
        /// A TLS client certificate.
        case cert
        /// No proof.
        case trust
        /// The client is rejected.
        case reject
    }

    /// A pattern of addresses.
    package enum Address: Equatable, Sendable {
        case all
        case range(AddressRange)

        /// Reads `all`, an address, or a range as `10.0.0.0/8`.
        package init?(_ text: String) {
            if text == "all" {
                self = .all
            } else if let range = AddressRange(text) {
                self = .range(range)
            } else {
                return nil
            }
        }

        /// The text as it was written.
        package var text: String {
            switch self {
            case .all: "all"
            case .range(let range): range.text
            }
        }
    }

    /// Words that are no names.
    package enum Word {
        package static let all = "all"
        /// The database that is named as the user.
        package static let sameUser = "sameuser"
        /// Physical replication, which is in no database and not in `all`.
        package static let replication = "replication"
        /// Keywords of `pg_hba.conf` that need the roles' memberships, which martlet does not know.
        package static let unsupported: Set = ["samerole", "samegroup"]
    }

    package var type = Connection.host
    /// Names, `all`, `sameuser`, `replication`.
    package var databases = [Word.all]
    /// Names, `all`.
    package var users = [Word.all]
    package var addresses = [Address.all]
    package var method: Method

    package init(method: Method) { self.method = method }

    // MARK: Matching

    func matches(_ attempt: LoginAttempt) -> Bool {
        matchesConnection(attempt) && matchesAddress(attempt)
            && databases.contains { Self.database($0, matches: attempt) }
            && users.contains { $0 == Word.all || $0 == attempt.user }
    }

    private func matchesConnection(_ attempt: LoginAttempt) -> Bool {
        switch type {
        case .host: !attempt.isLocal
        case .hostssl: !attempt.isLocal && attempt.isEncrypted
        case .hostnossl: !attempt.isLocal && !attempt.isEncrypted
        }
    }

    private func matchesAddress(_ attempt: LoginAttempt) -> Bool {
        addresses.contains { address in
            switch address {
            case .all: true
            case .range(let range): attempt.address.map(range.contains) ?? false
            }
        }
    }

    private static func database(_ pattern: String, matches attempt: LoginAttempt) -> Bool {
        if attempt.isPhysicalReplication { return pattern == Word.replication }
        return switch pattern {
        case Word.all: true
        case Word.sameUser: attempt.database == attempt.user
        // As in PostgreSQL, the word is not the name of a database.
        case Word.replication: false
        default: pattern == attempt.database
        }
    }

    // MARK: Unreachable rules

    /// Whether whatever matches another rule matches this one, too.
    func covers(_ other: AuthenticationRule) -> Bool {
        (type == other.type || type == .host) && coversAddresses(of: other)
            && other.users.allSatisfy { users.contains(Word.all) || users.contains($0) }
            && other.databases.allSatisfy { database in
                databases.contains(database)
                    || databases.contains(Word.all) && database != Word.replication
            }
    }

    private func coversAddresses(of other: AuthenticationRule) -> Bool {
        if addresses.contains(.all) { return true }
        return other.addresses.allSatisfy { address in
            guard case .range(let inner) = address else { return false }
            return addresses.contains {
                if case .range(let outer) = $0 { outer.covers(inner) } else { false }
            }
        }
    }

    /// The first rule before each one that leaves it nothing to match; nil where there is none.
    ///
    /// That several rules together leave nothing is not found.
    package static func shadows(in rules: [AuthenticationRule]) -> [Int?] {
        rules.indices.map { index in
            rules[..<index].firstIndex { $0.covers(rules[index]) }
        }
    }
}

/// A client's login request: who, from where, and how it is connected.
package struct LoginAttempt: Equatable, Sendable {
    package var user: String
    /// Empty for physical replication.
    package var database: String
    /// Nil for a Unix-domain socket, and if unknown.
    package var address: IPAddress?
    /// Whether it uses a Unix-domain socket, to which no rules apply.
    package var isLocal = false
    package var isEncrypted = false
    package var isPhysicalReplication = false
    /// The host as an error message names it.
    var host: String

    /// - Parameter peer: as the log has it, with the port; `[local]` for a Unix-domain socket.
    package init(user: String, database: String, peer: String) {
        self.user = user
        self.database = database
        isLocal = peer == "[local]"
        host = isLocal ? peer : String(IPAddress.host(of: peer))
        address = isLocal ? nil : IPAddress(peer: peer)
    }
}
