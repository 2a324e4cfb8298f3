// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// From a client's first byte to its first ReadyForQuery.
extension Pooler {
    func received(_ bytes: RawSpan, from client: ClientSession, now: Instant) -> Relay {
        client.lastActivity = now
        switch client.phase {
        case .closed:
            break
        case .ready:
            if client.replication != nil { return passReplication(bytes, from: client) }
            return receivedWhenReady(bytes, from: client, now: now)
        case .startup:
            client.inbound.append(bytes)
            startUp(client, now: now)
        case .authenticating:
            client.inbound.append(bytes)
            authenticate(client, now: now)
        case .greeting:
            // Statements sent without waiting for the greeting are kept, up to a bound.
            client.inbound.append(bytes)
            reconsiderReading(client)
        }
        return Relay(count: bytes.byteCount)
    }

    // MARK: Startup packets

    private func startUp(_ client: ClientSession, now: Instant) {
        if beginsWithTLS(client) { return }
        while client.phase == .startup && client.login?.isHandshaking != true {
            let packet: StartupPacket
            do {
                guard
                    let length = try StartupPacket.length(
                        of: client.unread, limit: policy.limits.startupPacket),
                    client.inbound.count >= length
                else { return }
                packet = try StartupPacket(body: client.unread.extracting(4..<length))
                client.inbound.consume(length)
            } catch .invalidCancelRequest {
                // Nobody who asks to cancel is answered.
                return close(client)
            } catch {
                return refuse(client, error.sqlState, error.message)
            }
            accept(packet, from: client, now: now)
        }
        // It may have sent its first answer without waiting for the question.
        authenticate(client, now: now)
    }

    private func accept(_ packet: StartupPacket, from client: ClientSession, now: Instant) {
        switch packet {
        case .sslRequest: sslRequested(by: client)
        case .gssEncRequest:
            if isFirstRequest(80_877_104, of: client) { answer("N", client) }
        case .cancelRequest(let processID, let secret):
            route(cancel: BackendKeyData(processID: processID, secret: secret), now: now)
            close(client)
        case .startup(let message): begin(client, message, now: now)
        }
    }

    /// Requests for encryption may be made once each. What was sent behind one before its answer
    /// could be somebody else's, and would be taken for the client's own (CVE-2021-23214).
    private func isFirstRequest(_ code: Int32, of client: ClientSession) -> Bool {
        if client.login?.requestsSeen.insert(code).inserted == true, client.inbound.isEmpty {
            return true
        }
        refuse(
            client, "08P01", "received unencrypted data after encryption request",
            hint: "Wait for the answer before you send more.")
        return false
    }

    private func answer(_ verdict: Unicode.Scalar, _ client: ClientSession) {
        client.output.append(byte: UInt8(ascii: verdict))
        markDirty(client)
    }

    // MARK: TLS

    private func sslRequested(by client: ClientSession) {
        if client.isEncrypted {
            let fault = StartupFault.unsupportedProtocol(major: 1234, minor: 5679)
            return refuse(client, fault.sqlState, fault.message)
        }
        guard isFirstRequest(80_877_103, of: client) else { return }
        guard rules.encryption.mode.isOffered else { return answer("N", client) }
        answer("S", client)
        startTLS(client, received: [])
    }

    /// No startup packet begins like a TLS record: it would be longer than is allowed.
    private func beginsWithTLS(_ client: ClientSession) -> Bool {
        guard !client.isEncrypted, client.login?.requestsSeen.isEmpty == true,
            !client.inbound.isEmpty, client.unread.copy(0..<1) == [0x16]
        else { return false }
        guard rules.encryption.mode.isOffered else {
            // It would not understand an answer.
            counters.logins.count(.encryptionRefused)
            log(client, refused: "08P01", "direct TLS, which is not offered here")
            close(client)
            return true
        }
        client.login?.isDirect = true
        let received = client.unread.copy(0..<client.inbound.count)
        client.inbound.removeAll()
        startTLS(client, received: received)
        return true
    }

    private func startTLS(_ client: ClientSession, received: [UInt8]) {
        client.login?.isHandshaking = true
        effects.append(.startTLS(client.id, received: received))
    }

    func secured(_ client: ClientSession, _ encryption: Encryption) {
        client.login?.isHandshaking = false
        client.isEncrypted = true
        client.login?.encryption = encryption
        if client.login?.isDirect == true && !encryption.hasAgreedProtocol {
            // As PostgreSQL 17: only ALPN tells that it wants to speak with a database.
            counters.logins.count(.protocolViolation)
            log(client, refused: "08P01", "direct TLS without ALPN")
            close(client)
        }
    }

    func handshakeFailed(_ client: ClientSession, _ reason: String) {
        client.login?.isHandshaking = false
        counters.logins.count(.handshakeFailed)
        log(client, refused: "08P01", reason)
    }

    private func log(_ client: ClientSession, refused sqlState: SQLState, _ reason: String) {
        effects.append(
            .log(
                .clientRefused(
                    client.id, sqlState: sqlState, reason: reason, peer: client.peer)))
    }

    // MARK: Startup messages

    private func begin(_ client: ClientSession, _ message: StartupMessage, now: Instant) {
        guard !clients.isDraining else {
            return refuse(client, "57P03", "the database system is shutting down")
        }
        guard take(.all, maximum: policy.clients.maximum, for: client) else {
            counters.logins.count(.tooManyClients)
            return refuse(
                client, "53300", "sorry, too many clients already",
                hint: "martlet accepts \(policy.clients.maximum) clients (clients.maximum).")
        }
        guard let method = method(for: client, message) else { return }
        do {
            try readSettings(of: message, into: client, now: now)
        } catch {
            return refuse(client, error.sqlState, error.message)
        }
        if message.needsNegotiation { message.appendNegotiation(to: &client.output) }
        client.login?.minorVersion = message.agreedMinorVersion
        client.user = message.user
        client.database = database(message.database)
        if message.replication != .none { client.replication = ClientSession.Replication(startup: message) }
        applyPolicy(to: client)
        client.phase = .authenticating
        client.login?.exchange = AuthenticationExchange(
            user: client.user, rules: rules, method: method, nonce: secrets.next(18),
            channelBinding: client.login?.encryption?.channelBinding)
        guard let step = client.login?.exchange?.begin(into: &client.output) else { return }
        perform(step, for: client, now: now)
    }

    /// How a client has to prove who it is; nil after it was refused.
    private func method(
        for client: ClientSession, _ message: StartupMessage
    ) -> AuthenticationRule.Method? {
        var attempt = LoginAttempt(
            user: message.user, database: message.database, peer: client.peer)
        attempt.isEncrypted = client.isEncrypted
        attempt.isPhysicalReplication = message.replication == .physical
        switch rules.verdict(on: attempt, client.login?.encryption) {
        case .ask(let method): return method
        case .refuse(let refusal):
            counters.logins.count(refusal.isByRule ? .refusedByRule : .encryptionRefused)
            log(client, refused: refusal.sqlState, refusal.logReason)
            refuse(client, refusal.sqlState, refusal.message, hint: refusal.hint)
            return nil
        }
    }

    /// The settings of a startup packet: those in `options` first, so that the others override.
    private func readSettings(
        of message: StartupMessage, into client: ClientSession, now: Instant
    ) throws(StartupOptionsFault) {
        var values: [String: String] = [:]
        var parameters: [StartupMessage.Parameter] = []
        if let options = message.options { parameters = try StartupOptions.settings(in: options) }
        for parameter in parameters + message.settings {
            guard let value = String(validating: parameter.value, as: UTF8.self) else {
                throw .invalidEncoding
            }
            values[parameter.name.lowercased()] = value
        }
        for (name, value) in values where name.hasPrefix(SettingsReplay.ownPrefix) {
            _ = client.own.set(name, to: value, position: &client.position, now: now)
            values[name] = nil
        }
        client.ownAtStart = client.own
        client.state.started(
            with: shared.parameters(ParameterSet(values)),
            customNames: Set(values.keys.filter { $0.contains(".") }))
    }

    /// A session that has a server of its own keeps it to its end.
    func applyPolicy(to client: ClientSession, keeping mode: PoolMode = .transaction) {
        var session = policy.session(database: client.database.name, user: client.user)
        if mode == .session { session.pool.mode = .session }
        client.policy = shared.policy(session)
        client.route = client.listenerRoute ?? session.route
        client.consistency = session.consistency
    }

    // MARK: Authentication

    package func secretArrived(_ lookup: SecretLookup, for id: ConnectionID, now: Instant) {
        guard case .client(let client) = occupant(id), client.phase == .authenticating,
            let step = client.login?.exchange?.secretArrived(
                lookup, now: now, into: &client.output)
        else { return }
        perform(step, for: client, now: now)
        authenticate(client, now: now)
    }

    private func authenticate(_ client: ClientSession, now: Instant) {
        while client.phase == .authenticating {
            let header: MessageHeader?
            do {
                header = try MessageHeader(in: client.unread, at: 0)
            } catch {
                return refuse(client, "08P01", "invalid message length")
            }
            guard let header else { return }
            guard header.bodyCount <= policy.limits.startupPacket else {
                return refuse(client, "08P01", "invalid message length")
            }
            guard client.inbound.count >= header.totalCount else { return }
            let body = client.unread.copy(MessageHeader.size..<header.totalCount)
            client.inbound.consume(header.totalCount)
            guard
                let step = client.login?.exchange?.received(
                    type: header.kind, body: body.rawSpan, into: &client.output)
            else { return }
            perform(step, for: client, now: now)
        }
    }

    private func perform(
        _ step: AuthenticationExchange.Step, for client: ClientSession, now: Instant
    ) {
        markDirty(client)
        switch step {
        case .wait: break
        case .lookUpSecret:
            effects.append(
                .lookUpSecret(
                    client.id, user: client.user,
                    newerThan: mismatches[client.user] ?? Instant(0)))
        case .authenticated(let credential): authenticated(client, credential, now: now)
        case .failed(let failure):
            if failure.cause == .wrongPassword {
                if mismatches.count >= LoginProfile.limit { mismatches.removeAll() }
                mismatches[client.user] = now
            }
            counters.logins.count(
                failure.cause == .lookupUnavailable ? .unavailable : .badPassword)
            log(client, refused: failure.sqlState, failure.logReason)
            refuse(client, failure.sqlState, failure.message)
        }
    }

    private func authenticated(
        _ client: ClientSession, _ credential: ServerCredential, now: Instant
    ) {
        giveUp(.loggingIn, of: client)
        giveUp(.loggingInFrom(client.host), of: client)
        guard take(.user(client.user), maximum: client.policy.clients.maximumPerUser, for: client) else {
            counters.logins.count(.tooManyClients)
            return refuse(
                client, "53300", "too many connections for role \"\(client.user)\"",
                hint: "See clients.maximum_per_user.")
        }
        let name = client.database.name
        guard take(.database(name), maximum: client.policy.clients.maximumPerDatabase, for: client) else {
            counters.logins.count(.tooManyClients)
            return refuse(
                client, "53300", "too many connections for database \"\(name)\"",
                hint: "See clients.maximum_per_database.")
        }
        // Trust proves nothing: what is known of the user from a real login stays.
        if credential != .none || credentials[client.user] == nil {
            if credentials[client.user] != credential && credential != .none {
                effects.append(.broadcast(.credential(user: client.user, credential)))
            }
            credentials[client.user] = credential
        }
        client.phase = .greeting
        counters.logins.count(.accepted)
        client.unit.isLogin = true
        client.unit.replay.routed()
        if client.replication != nil { return proceed(client, .route, now: now) }
        if client.database.noteNeed(now: now) {
            effects.append(.needCatalogue(database: client.database.name))
        }
        let key = profileKey(of: client)
        if let profile = profiles[key], now - profile.madeAt < LoginProfile.lifetime {
            client.state.changed(to: profile.settings)
            client.endUnit()
            return greet(client, reported: profile.reported, now: now)
        }
        proceed(client, .route, now: now)
    }

    // MARK: Greeting

    private func profileKey(of client: ClientSession) -> LoginProfile.Key {
        LoginProfile.Key(
            database: client.database.name, user: client.user,
            settings: client.startup.dictionary)
    }

    /// A server has taken the client's settings: what it reports is what the client is told.
    func finishLogin(
        _ client: ClientSession, on server: ServerConnection, now: Instant
    ) -> Step {
        if profiles.count >= LoginProfile.limit { profiles.removeAll() }
        profiles[profileKey(of: client)] = LoginProfile(
            settings: client.settings, reported: server.reported, madeAt: now)
        finishUnit(client, now: now)
        client.detached()
        server.lostClient()
        greet(client, reported: server.reported, now: now)
        release(server, now: now)
        return .gather
    }

    func greet(_ client: ClientSession, reported: ParameterSet, now: Instant) {
        for entry in reported.entries {
            ParameterStatus.write(
                name: ReportedName.display(entry.name),
                value: entry.name == ReportedName.hotStandby ? "off" : entry.value,
                to: &client.output)
        }
        client.state.told(reported)
        client.cancelSecret = secrets.next(
            Self.secretCount(minorVersion: client.login?.minorVersion ?? 0))
        keyData(of: client).write(to: &client.output)
        ReadyForQuery.write(.idle, to: &client.output)
        markDirty(client)
        client.phase = .ready
        let encryption = client.login?.encryption?.words
        client.login = nil
        clients.loggedIn()
        effects.append(
            .log(
                .clientLoggedIn(
                    client.id, user: client.user, database: client.database.name,
                    peer: client.peer, encryption: encryption)))
        proceed(client, .gather, now: now)
    }

    // MARK: Places

    /// Limits those who have not proved yet who they are; a client too many is refused at once.
    func admit(_ client: ClientSession) {
        let limits = policy.clients
        let from = ClientGroup.loggingInFrom(client.host)
        if take(.loggingIn, maximum: limits.maximumLoggingIn, for: client),
            take(from, maximum: limits.maximumLoggingInPerAddress, for: client)
        {
            return
        }
        counters.logins.count(.tooManyClients)
        log(client, refused: "53300", "too many clients are logging in")
        refuse(
            client, "53300", "too many clients are logging in",
            hint: "See clients.maximum_logging_in and clients.maximum_logging_in_per_address.")
    }

    private func take(_ group: ClientGroup, maximum: Int, for client: ClientSession) -> Bool {
        guard ledger.acquireClient(in: group, maximum: maximum) else { return false }
        client.places.append(group)
        return true
    }

    private func giveUp(_ group: ClientGroup, of client: ClientSession) {
        guard let index = client.places.firstIndex(of: group) else { return }
        client.places.remove(at: index)
        ledger.releaseClient(in: group)
    }
}

/// The spelling in which PostgreSQL reports its settings; martlet keeps names in lower case.
enum ReportedName {
    static let hotStandby = "in_hot_standby"

    private static let mixed = [
        "datestyle": "DateStyle", "intervalstyle": "IntervalStyle", "timezone": "TimeZone",
    ]

    static func display(_ name: String) -> String { mixed[name] ?? name }
}
