// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// Performs what a client's login decides (`ClientLogin`), until its first ReadyForQuery.
extension Pooler {
    /// Lets a login take what has arrived, as far as it comes.
    func continueLogin(of client: ClientSession, now: Instant) {
        while client.phase == .loggingIn, let login = client.login {
             let action = login.received(
                 &client.inbound, rules: rules, limit: policy.limits.startupPacket,
                 into: &client.output)
            if !client.output.isEmpty { markDirty(client) }
            if action == .wait { return }
            perform(action, of: login, for: client, now: now)
        }
    }

    func perform(
        _ action: LoginAction, of login: ClientLogin, for client: ClientSession, now: Instant
    ) {
        if !client.output.isEmpty { markDirty(client) }
        switch action {
        case .wait: break
        case .startTLS(let received): effects.append(.startTLS(client.id, received: received))
        case .cancel(let key):
            route(cancel: key, now: now)
            close(client)
        case .admit: admit(login, of: client, now: now)
        case .lookUpSecret(let user):
            effects.append(
                .lookUpSecret(client.id, user: user, newerThan: logins.secretNewerThan(of: user)))
        case .open(let request, let credential):
            open(client, request, credential, now: now)
        case .end(let failure):
            if let user = failure.mismatchedUser { logins.mismatched(user, now: now) }
            refuse(client, failure)
        }
    }

    package func secretArrived(_ lookup: SecretLookup, for id: ConnectionID, now: Instant) {
        guard case .client(let client) = slots.occupant(id), client.phase == .loggingIn,
            let login = client.login
        else { return }
        let action = login.secretArrived(lookup, now: now, into: &client.output)
        perform(action, of: login, for: client, now: now)
        continueLogin(of: client, now: now)
    }

    /// Finds a place for a client that has sent its startup message.
    private func admit(_ login: ClientLogin, of client: ClientSession, now: Instant) {
        guard !clients.isDraining else {
            return refuse(client, .cannotConnectNow, "the database system is shutting down")
        }
        guard take(.all, maximum: policy.clients.maximum, for: client) else {
            return refuse(
                client,
                .tooManyClients(
                    "sorry, too many clients already",
                    hint: "martlet accepts \(policy.clients.maximum) clients (clients.maximum)."))
        }
        let action = login.admitted(rules: rules, secrets: &secrets, into: &client.output)
        perform(action, of: login, for: client, now: now)
    }

    // MARK: The session

    /// Makes the session of a client that has proved who it is.
    private func open(
        _ client: ClientSession, _ request: LoginRequest, _ credential: ServerCredential,
        now: Instant
    ) {
        giveUp(.loggingIn, of: client)
        giveUp(.loggingInFrom(client.host), of: client)
        client.account.loggedIn(as: request.user, to: databases.entered(request.database))
        adopt(request.settings, by: client, now: now)
        applyPolicy(to: client)
        if request.message.replication != .none {
            client.replicates(from: request.message)
        }
        guard takePlaces(of: client) else { return }
        learn(credential, of: client.user)
        counters.logins.count(.accepted)
        client.unit.replay.routed()
        if client.replication != nil { return proceed(client, .route, now: now) }
        if client.database.shouldRequestCatalogue(now: now) {
            effects.append(.needCatalogue(database: client.database.name))
        }
        let key = profileKey(of: client)
        if let profile = logins.profile(key, now: now) {
            client.state.changed(to: profile.settings)
            client.endUnit()
            return greet(client, reported: profile.reported, now: now)
        }
        proceed(client, .route, now: now)
    }

    /// The session begins with the settings of the startup message.
    private func adopt(_ settings: [String: String], by client: ClientSession, now: Instant) {
        var values = settings
        for (name, value) in settings where name.hasPrefix(SettingsReplay.martletPrefix) {
            _ = client.martletSettings.set(name, to: value, position: &client.position, now: now)
            values[name] = nil
        }
        client.martletSettings.started()
        client.state.started(
            with: shared.parameters(ParameterSet(values)),
            customNames: Set(values.keys.filter { $0.contains(".") }))
    }

    /// A session that has a server of its own keeps it to its end.
    func applyPolicy(to client: ClientSession, keeping mode: PoolMode = .transaction) {
        var session = policy.session(database: client.database.name, user: client.user)
        if mode == .session { session.pool.mode = .session }
        client.account.apply(
            shared.policy(session), route: client.listenerRoute ?? session.route,
            consistency: session.consistency)
    }

    /// Counts a client for its user and its database; false after it was refused.
    private func takePlaces(of client: ClientSession) -> Bool {
        let (user, name) = (client.user, client.database.name)
        let limits = client.policy.clients
        guard take(.user(user), maximum: limits.maximumPerUser, for: client) else {
            refuse(
                client,
                .tooManyClients(
                    "too many connections for role \"\(user)\"",
                    hint: "See clients.maximum_per_user."))
            return false
        }
        guard take(.database(name), maximum: limits.maximumPerDatabase, for: client) else {
            refuse(
                client,
                .tooManyClients(
                    "too many connections for database \"\(name)\"",
                    hint: "See clients.maximum_per_database."))
            return false
        }
        return true
    }

    /// What opens server connections for a user from now on, here and on the other shards.
    private func learn(_ credential: ServerCredential, of user: String) {
        // Trust proves nothing: what is known of the user from a real login stays.
        guard credential != .none, logins.credential(of: user) != credential else { return }
        effects.append(.broadcast(.credential(user: user, credential)))
        keep(credential, of: user)
    }

    // MARK: Greeting

    private func profileKey(of client: ClientSession) -> LoginProfile.Key {
        LoginProfile.Key(
            database: client.database.name, user: client.user,
            settings: client.startup.dictionary)
    }

    /// A server has taken the client's settings: what it reports is what the client is told.
    func greet(
        _ client: ClientSession, on server: ServerConnection, now: Instant
    ) -> Step {
        logins.learned(
            LoginProfile(settings: client.settings, reported: server.reported, madeAt: now),
            for: profileKey(of: client))
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
        let login = client.login
        let minorVersion = login?.greeted?.message.agreedMinorVersion ?? 0
        client.account.given(
            cancelSecret: secrets.next(Self.secretCount(minorVersion: minorVersion)))
        keyData(of: client).write(to: &client.output)
        ReadyForQuery.write(.idle, to: &client.output)
        markDirty(client)
        client.loggedIn()
        clients.loggedIn()
        effects.append(
            .log(
                .clientLoggedIn(
                    client.id, user: client.user, database: client.database.name,
                    peer: client.peer, encryption: login?.encryptionWords)))
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
        let words = "too many clients are logging in"
        refuse(
            client,
            .tooManyClients(
                words,
                hint: "See clients.maximum_logging_in and clients.maximum_logging_in_per_address.",
                logReason: words))
    }

    private func take(_ group: ClientGroup, maximum: Int, for client: ClientSession) -> Bool {
        guard ledger.acquireClient(in: group, maximum: maximum) else { return false }
        client.account.occupies(group)
        return true
    }

    private func giveUp(_ group: ClientGroup, of client: ClientSession) {
        if client.account.givesUp(group) { ledger.releaseClient(in: group) }
    }
}
