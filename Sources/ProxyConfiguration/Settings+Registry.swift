// SPDX-License-Identifier: Apache-2.0

internal import ProxyCore

/// The keys that make up the core's policy, and the log's.
extension Settings {
    private static let userFields: [Setting<AuthenticationPolicy.User>] = [
        Setting("name", \.name, .text, "The role's name.").required,
        Setting(
            "secret", \.secret, .roleSecret,
            "A SCRAM secret as in pg_authid.rolpassword, or a password in clear text."
        ).required.secret,
    ]

    private static let ruleFields: [Setting<AuthenticationRule>] = [
        Setting(
            "type", \.type, .choice,
            "In any way, with TLS, or without it. By default host."),
        Setting(
            "database", \.databases, .list(of: .ruleName),
            "Names, all, sameuser, replication. By default all."),
        Setting("user", \.users, .list(of: .ruleName), "Names, or all. By default all."),
        Setting(
            "address", \.addresses, .list(of: .ruleAddress),
            "Addresses such as 10.0.0.0/8, or all. By default all."),
        Setting(
            "method", \.method, .choice,
            "A password of SCRAM, or of MD5 too; a certificate; nothing; or no entry."
        ).required,
    ]

    /// `authentication.*`
    static let authentication: [Setting<Settings>] = [
        Setting(
            "authentication.method", \.policy.authentication.method, .choice,
            "Where there are no rules; trust asks nobody for a password, for closed networks."),
        Setting(
            "authentication.rules", \.policy.authentication.rules,
            .list(of: .record("rule", ruleFields) { AuthenticationRule(method: .reject) }),
            "Who may log in from where and how, as in pg_hba.conf; the first that matches decides."
        ),
        Setting(
            "authentication.users", \.policy.authentication.users,
            .list(
                of: .record("user", userFields) {
                    AuthenticationPolicy.User(name: "", secret: "")
                }),
            "Users with a secret of their own here; they are not looked up."),
        Setting(
            "authentication.lookup", \.policy.authentication.lookup, .boolean,
            "Whether secrets of other users are read from the cluster."),
        Setting(
            "authentication.lookup_function", \.lookupFunction, .qualifiedName,
            "Returns a role's secret where the service account may not read pg_authid."),
        Setting(
            "authentication.secret_lifetime", \.policy.authentication.secretLifetime,
            .durationOrZero,
            "How long a secret is used before it is read again; with 0, changes count at once."),
    ]

    /// `clients.*`
    static let clients: [Setting<Settings>] = [
        Setting(
            "clients.maximum", \.policy.clients.maximum, .integer(1...1_000_000),
            "Clients in all; one more is refused (53300)."),
        Setting(
            "clients.maximum_per_user", \.policy.clients.maximumPerUser, .integer(0...1_000_000),
            "Clients of one user; 0 for no limit of its own."),
        Setting(
            "clients.maximum_per_database", \.policy.clients.maximumPerDatabase,
            .integer(0...1_000_000), "Clients of one database; 0 for no limit of its own."),
        Setting(
            "clients.maximum_logging_in", \.policy.clients.maximumLoggingIn,
            .integer(0...1_000_000),
            "Connections that have not proved yet whose they are (53300); 0 for no limit."),
        Setting(
            "clients.maximum_logging_in_per_address", \.policy.clients.maximumLoggingInPerAddress,
            .integer(0...1_000_000),
            "The same from one address; 0 for no limit, as behind a load balancer."),
        Setting(
            "clients.login_timeout", \.policy.clients.loginTimeout, .duration,
            "How long a client may take from connecting to being logged in (57014)."),
        Setting(
            "clients.idle_timeout", \.policy.clients.idleTimeout, .durationOrZero,
            "Ends a client that sends nothing outside a transaction (57P05); 0 for never."),
        Setting(
            "clients.idle_in_transaction_timeout", \.policy.clients.idleInTransactionTimeout,
            .durationOrZero,
            "Ends a client that sends nothing inside a transaction (25P03); 0 for never."),
        Setting(
            "clients.query_timeout", \.policy.clients.queryTimeout, .durationOrZero,
            "Cancels a query that runs longer on its server (57014); 0 for never."),
        Setting(
            "clients.transaction_timeout", \.policy.clients.transactionTimeout, .durationOrZero,
            "Ends a client that is longer in one transaction block (25P04); 0 for never."),
    ]

    private static let overrideFields: [Setting<PoolPolicies.Override>] = [
        Setting("database", \.database, .optional(.text), "Only this database."),
        Setting("user", \.user, .optional(.text), "Only this user."),
        Setting("mode", \.mode, .optional(.choice), "As pools.mode."),
        Setting("size", \.size, .optional(.integer(1...10_000)), "As pools.size."),
        Setting("route", \.route, .optional(.choice), "As routing.route."),
        Setting("consistency", \.consistency, .optional(.choice), "As routing.consistency."),
        Setting(
            "reserve_size", \.reserveSize, .optional(.integer(0...10_000)),
            "As pools.reserve_size."),
        Setting(
            "servers_per_user", \.serversPerUser, .optional(.integer(0...100_000)),
            "As pools.servers_per_user."),
        Setting(
            "servers_per_database", \.serversPerDatabase, .optional(.integer(0...100_000)),
            "As pools.servers_per_database."),
        Setting("wait_timeout", \.waitTimeout, .optional(.duration), "As pools.wait_timeout."),
        Setting(
            "clients_per_user", \.clientsPerUser, .optional(.integer(0...1_000_000)),
            "As clients.maximum_per_user."),
        Setting(
            "clients_per_database", \.clientsPerDatabase, .optional(.integer(0...1_000_000)),
            "As clients.maximum_per_database."),
        Setting(
            "idle_timeout", \.idleTimeout, .optional(.durationOrZero),
            "As clients.idle_timeout."),
        Setting(
            "idle_in_transaction_timeout", \.idleInTransactionTimeout,
            .optional(.durationOrZero), "As clients.idle_in_transaction_timeout."),
        Setting(
            "query_timeout", \.queryTimeout, .optional(.durationOrZero),
            "As clients.query_timeout."),
        Setting(
            "transaction_timeout", \.transactionTimeout, .optional(.durationOrZero),
            "As clients.transaction_timeout."),
    ]

    /// `pools.*`
    static let pools: [Setting<Settings>] = [
        Setting(
            "pools.mode", \.policy.pools.standard.mode, .choice,
            "Whether a server belongs to a client for a transaction or until it leaves."),
        Setting(
            "pools.size", \.policy.pools.standard.size, .integer(1...10_000),
            "Server connections to one node, for one database and user."),
        Setting(
            "pools.servers_per_node", \.policy.pools.serversPerNode, .integer(1...100_000),
            "Server connections to one node in all; below its max_connections."),
        Setting(
            "pools.servers_per_user", \.policy.pools.standard.serversPerUser,
            .integer(0...100_000),
            "Server connections to one node for one user, of all databases; 0 for no limit."),
        Setting(
            "pools.servers_per_database", \.policy.pools.standard.serversPerDatabase,
            .integer(0...100_000),
            "Server connections to one node for one database, of all users; 0 for no limit."),
        Setting(
            "pools.reserve_size", \.policy.pools.standard.reserveSize, .integer(0...10_000),
            "Server connections beyond size, while a client waits for reserve_timeout."),
        Setting(
            "pools.reserve_timeout", \.policy.pools.reserveTimeout, .durationOrZero,
            "How long a client waits before it may have one of reserve_size."),
        Setting(
            "pools.server_idle_timeout", \.policy.pools.serverIdleTimeout, .durationOrZero,
            "Closes a server that nobody used for so long; 0 for never."),
        Setting(
            "pools.server_lifetime", \.policy.pools.serverLifetime, .durationOrZero,
            "Replaces a server of this age when it is idle; 0 for never."),
        Setting(
            "pools.connect_timeout", \.policy.pools.connectTimeout, .duration,
            "How long a server may take to accept a connection and log in."),
        Setting(
            "pools.wait_timeout", \.policy.pools.standard.waitTimeout, .duration,
            "How long a client waits for a free server before it is refused (53300)."),
        Setting(
            "pools.prepared_statements_per_server", \.policy.pools.preparedStatementsPerServer,
            .integer(1...100_000), "Statements kept prepared on one server."),
        Setting(
            "pools.overrides", \.policy.pools.overrides,
            .list(of: .record("override", overrideFields) { PoolPolicies.Override() }),
            "Other values for a database, a user or both; the first that matches wins."),
    ]

    /// `routing.*`
    static let routing: [Setting<Settings>] = [
        Setting(
            "routing.route", \.policy.routing.route, .choice,
            "Where statements go unless a client, a comment or an override says otherwise."),
        Setting(
            "routing.consistency", \.policy.routing.consistency, .choice,
            "What a read must see: own writes, anything within the lag limits, or all writes."),
        Setting(
            "routing.primary_reads", \.policy.routing.primaryReads, .boolean,
            "Whether reads go to the primary while no replica may take them."),
        Setting(
            "routing.maximum_lag", \.policy.routing.maximumLagBytes, .size(1...(1 << 50)),
            "A replica with more of the log to replay gets no reads."),
        Setting(
            "routing.maximum_lag_time", \.policy.routing.maximumLagTime, .duration,
            "A replica further behind in time gets no reads."),
        Setting(
            "routing.hold_timeout", \.policy.routing.holdTimeout, .durationOrZero,
            "How long work waits while no node can take it, before 57P03."),
        Setting(
            "routing.weight_tag", \.policy.routing.weightTag, .optional(.text),
            "Patroni tag, 0 to 100, that scales a replica's share of reads; null for none."),
        Setting(
            "routing.read_functions", \.policy.routing.readFunctions, .list(of: .objectName),
            "Functions that only read, whatever the catalogue says of them."),
        Setting(
            "routing.write_functions", \.policy.routing.writeFunctions, .list(of: .objectName),
            "Functions that write, whatever the catalogue says of them."),
        Setting(
            "routing.primary_relations", \.policy.routing.primaryRelations, .list(of: .objectName),
            "Tables and views that are only ever read on the primary."),
        Setting(
            "routing.catalogue_interval", \.policy.routing.catalogueInterval, .duration,
            "Between two readings of a database's functions and relations."),
    ]

    /// `tcp.*`
    static let tcp: [Setting<Settings>] = [
        Setting(
            "tcp.keepalive_idle", \.policy.tcp.keepaliveIdle, seconds,
            "Quiet for so long, a peer is probed."),
        Setting(
            "tcp.keepalive_interval", \.policy.tcp.keepaliveInterval, seconds,
            "Between two probes."),
        Setting(
            "tcp.keepalive_count", \.policy.tcp.keepaliveCount, .integer(1...127),
            "So many probes without an answer end the connection."),
        Setting(
            "tcp.user_timeout", \.policy.tcp.userTimeout, .durationOrZero,
            "How long a peer may leave unacknowledged what it was sent; 0 as the system has it."),
    ]

    /// What the system counts in whole seconds.
    private static let seconds = SettingKind.length(.seconds(1)...(.seconds(32_767)))

    /// `limits.*`
    static let limits: [Setting<Settings>] = [
        Setting(
            "limits.held_messages", \.policy.limits.heldMessages, .size(1024...(1 << 30)),
            "Messages held until their route is known; more goes to the primary unread."),
        Setting(
            "limits.statement", \.policy.limits.statement, .size(1024...(1 << 30)),
            "A statement to be prepared; it is kept as long as the session may use it."),
        Setting(
            "limits.pending_output", \.policy.limits.pendingOutput, .size(4096...(1 << 30)),
            "Waiting for one slow receiver before its sender is no longer read."),
        Setting(
            "limits.startup_packet", \.policy.limits.startupPacket, .size(1024...(1 << 20)),
            "A client's first packet."),
        Setting(
            "limits.message", \.policy.limits.message, .size(8192...0x3fff_ffff),
            "One message; PostgreSQL's own limit is just below 1 GB."),
        Setting(
            "limits.prepared_statements", \.policy.limits.preparedStatements,
            .integer(1...1_000_000), "Prepared statements of one client."),
    ]

    /// `log.*`, and what is in no group.
    static let log: [Setting<Settings>] = [
        Setting("log.level", \.log.level, .choice, "The least important events to log."),
        Setting("log.format", \.log.format, .choice, "For people, or for collectors."),
        Setting(
            "log.statements", \.log.statements, .boolean,
            "Whether statements that were run again are shown; they may hold secrets."),
        Setting(
            "shards", \.shards, .integer(0...1024),
            "Event loops; 0 for one for each core that the machine or container grants."
        ).restart,
        Setting(
            "drain_timeout", \.drainTimeout, .durationOrZero,
            "How long transactions may go on after SIGTERM."),
    ]
}
