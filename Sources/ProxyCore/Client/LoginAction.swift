// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// What the pooler does next for a client that logs in.
package enum LoginAction: Equatable, Sendable {
    /// Nothing, until more arrives.
    case wait
    /// Speaks TLS with the client, whose handshake begins with `received`; then `secured`.
    case startTLS(received: [UInt8])
    /// Passes on a cancel request and closes the connection, which was opened for nothing else.
    case cancel(BackendKeyData)
    /// Finds a place among the clients; then `admitted`.
    case admit
    /// Finds the secret of the user; then `secretArrived`.
    case lookUpSecret(user: String)
    /// Opens a session: the client has proved who it is. The credential opens server connections.
    case open(LoginRequest, ServerCredential)
    /// Ends the connection.
    case end(LoginFailure)
}

/// What a startup message asks for: a user, a database, settings, and perhaps replication.
package struct LoginRequest: Equatable, Sendable {
    package let message: StartupMessage
    /// The settings, names in lower case; those in `options` first, so that the others override.
    package let settings: [String: String]

    package var user: String { message.user }
    package var database: String { message.database }

    package init(_ message: StartupMessage) throws(StartupOptionsFault) {
        var parameters: [StartupMessage.Parameter] = []
        if let options = message.options { parameters = try StartupOptions.settings(in: options) }
        var values: [String: String] = [:]
        for parameter in parameters + message.settings {
            guard let value = String(validating: parameter.value, as: UTF8.self) else {
                throw .invalidEncoding
            }
            values[parameter.name.lowercased()] = value
        }
        self.message = message
        settings = values
    }
}

/// Why a login ends, in the words for the client and in those for the log.
package struct LoginFailure: Error, Equatable, Sendable {
    package private(set) var sqlState: SQLState
    /// The text of the last error response; nil: the connection closes without a word.
    package private(set) var message: String?
    package private(set) var hint: String?
    /// The line in the log; nil for what says nothing to an operator.
    package private(set) var logReason: String?
    /// What the failure is counted as.
    package private(set) var result: LoginResult?
    /// The user whose password did not match, so that a kept secret may be out of date.
    package private(set) var mismatchedUser: String?

    /// A failure that the client is told of.
    package init(_ sqlState: SQLState, _ message: String, hint: String? = nil) {
        self.sqlState = sqlState
        self.message = message
        self.hint = hint
    }

    /// A failure that only the log tells of: the client would not understand an error response.
    package init(unsaid result: LoginResult, _ logReason: String) {
        sqlState = .protocolViolation
        self.logReason = logReason
        self.result = result
    }

    init(_ refusal: LoginRefusal) {
        self.init(refusal.sqlState, refusal.message, hint: refusal.hint)
        logReason = refusal.logReason
        result = refusal.isByRule ? .refusedByRule : .encryptionRefused
    }

    init(_ failure: AuthenticationFailure, of user: String) {
        self.init(failure.sqlState, failure.message)
        logReason = failure.logReason
        result = failure.cause == .lookupUnavailable ? .unavailable : .badPassword
        if failure.cause == .wrongPassword { mismatchedUser = user }
    }

    init(_ fault: StartupFault) {
        self.init(fault.sqlState, fault.message)
        // A cancel request gets no reply, and a wrong one neither.
        if fault == .invalidCancelRequest { message = nil }
    }

    /// What was sent after a request for encryption and before its reply could be somebody else's,
    /// and would be taken for the client's own (CVE-2021-23214).
    static let unencryptedData = LoginFailure(
        .protocolViolation, "received unencrypted data after encryption request",
        hint: "Wait for the answer before you send more.")

    static let invalidLength = LoginFailure(.protocolViolation, "invalid message length")

    /// A limit of clients is reached; `logReason` where an operator should know.
    static func tooManyClients(
        _ message: String, hint: String, logReason: String? = nil
    ) -> LoginFailure {
        var failure = LoginFailure(.tooManyConnections, message, hint: hint)
        failure.logReason = logReason
        failure.result = .tooManyClients
        return failure
    }
}
