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
            "Connections it is for: host (any), hostssl (with TLS), hostnossl (without TLS)."),
        Setting(
            "database", \.databases, .list(of: .ruleName),
            "Databases the rule is for: names, all, sameuser or replication; by default all."),
        Setting(
            "user", \.users, .list(of: .ruleName),
            "Users the rule is for: names, or all; by default all."),
        Setting(
            "address", \.addresses, .list(of: .ruleAddress),
            "Client addresses the rule is for, such as 10.0.0.0/8, or all; by default all."),
        Setting(
            "method", \.method, .choice,
            "scram-sha-256, md5 (also accepts SCRAM), cert, trust, or reject."
        ).required,
    ]

    /// `authentication.*`
    static let authentication: [Setting<Settings>] = [
        Setting(
            "authentication.method", \.policy.authentication.method, .choice,
            "Method while there are no rules; trust asks for no password (closed networks)."),
        Setting(
            "authentication.rules", \.policy.authentication.rules,
            .list(of: .record("rule", ruleFields) { AuthenticationRule(method: .reject) }),
            "Who may log in from where and how, as in pg_hba.conf; the first match decides."
        ),
        Setting(
            "authentication.users", \.policy.authentication.users,
            .list(
                of: .record("user", userFields) {
                    AuthenticationPolicy.User(name: "", secret: "")
                }),
            "Users whose secret is given here; they are not looked up in the cluster."),
        Setting(
            "authentication.lookup", \.policy.authentication.lookup, .boolean,
            "Whether secrets of users that are not listed here are read from the cluster."),
        Setting(
            "authentication.lookup_function", \.lookupFunction, .qualifiedName,
            "Function that returns a role's secret where pg_authid may not be read."),
        Setting(
            "authentication.secret_lifetime", \.policy.authentication.secretLifetime,
            .durationOrZero,
            "How long a secret read from the cluster is used; 0 reads it for each login."),
    ]

    /// `clients.*`
    static let clients: [Setting<Settings>] = [
        Setting(
            "clients.maximum", \.policy.clients.maximum, .integer(1...1_000_000),
            "Maximum number of client connections; one more is refused (53300)."),
        Setting(
            "clients.maximum_per_user", \.policy.clients.maximumPerUser, .integer(0...1_000_000),
            "Maximum number of client connections of one user; 0 for no limit."),
        Setting(
            "clients.maximum_per_database", \.policy.clients.maximumPerDatabase,
            .integer(0...1_000_000),
            "Maximum number of client connections to one database; 0 for no limit."),
        Setting(
            "clients.maximum_logging_in", \.policy.clients.maximumLoggingIn,
            .integer(0...1_000_000),
            "Maximum number of clients that have not logged in yet (53300); 0 for no limit."),
        Setting(
            "clients.maximum_logging_in_per_address", \.policy.clients.maximumLoggingInPerAddress,
            .integer(0...1_000_000),
            "Clients not logged in yet from one address; 0 for no limit (after a load balancer)."),
        Setting(
            "clients.login_timeout", \.policy.clients.loginTimeout, .duration,
            "Time limit from connecting to being logged in (57014)."),
        Setting(
            "clients.idle_timeout", \.policy.clients.idleTimeout, .durationOrZero,
            "Disconnects a client idle outside a transaction for longer (57P05); 0 for never."),
        Setting(
            "clients.idle_in_transaction_timeout", \.policy.clients.idleInTransactionTimeout,
            .durationOrZero,
            "Disconnects a client idle inside a transaction for longer (25P03); 0 for never."),
        Setting(
            "clients.query_timeout", \.policy.clients.queryTimeout, .durationOrZero,
            "Cancels a query that runs longer on its server connection (57014); 0 for never."),
        Setting(
            "clients.transaction_timeout", \.policy.clients.transactionTimeout, .durationOrZero,
            "Disconnects a client whose transaction block lasts longer (25P04); 0 for never."),
    ]

    private static let overrideFields: [Setting<PoolPolicies.Override>] = [
        Setting(
            "database", \.database, .optional(.text), "Database the entry is for; any by default."),
        Setting("user", \.user, .optional(.text), "User the entry is for; any by default."),
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
            "Whether a client keeps a server connection for a transaction or its session."),
        Setting(
            "pools.size", \.policy.pools.standard.size, .integer(1...10_000),
            "Maximum number of server connections to one node for one database and user."),
        Setting(
            "pools.servers_per_node", \.policy.pools.serversPerNode, .integer(1...100_000),
            "Maximum number of server connections to one node; keep it below max_connections."),
        Setting(
            "pools.servers_per_user", \.policy.pools.standard.serversPerUser,
            .integer(0...100_000),
            "Maximum number of server connections of one user to one node; 0 for no limit."),
        Setting(
            "pools.servers_per_database", \.policy.pools.standard.serversPerDatabase,
            .integer(0...100_000),
            "Maximum number of server connections to one database on one node; 0 for no limit."),
        Setting(
            "pools.reserve_size", \.policy.pools.standard.reserveSize, .integer(0...10_000),
            "More server connections once a client has waited for pools.reserve_timeout."),
        Setting(
            "pools.reserve_timeout", \.policy.pools.reserveTimeout, .durationOrZero,
            "How long a client waits before a connection of pools.reserve_size is opened for it."),
        Setting(
            "pools.server_idle_timeout", \.policy.pools.serverIdleTimeout, .durationOrZero,
            "Closes a server connection that was idle for longer; 0 for never."),
        Setting(
            "pools.server_lifetime", \.policy.pools.serverLifetime, .durationOrZero,
            "Replaces an idle server connection that is older; 0 for never."),
        Setting(
            "pools.connect_timeout", \.policy.pools.connectTimeout, .duration,
            "Time limit for connecting to a server and logging in."),
        Setting(
            "pools.wait_timeout", \.policy.pools.standard.waitTimeout, .duration,
            "How long a client waits for a server connection before it fails (53300)."),
        Setting(
            "pools.prepared_statements_per_server", \.policy.pools.preparedStatementsPerServer,
            .integer(1...100_000),
            "Maximum number of statements kept prepared on one server connection."),
        Setting(
            "pools.overrides", \.policy.pools.overrides,
            .list(of: .record("override", overrideFields) { PoolPolicies.Override() }),
            "Other limits and routes for a database, a user or both; the first match wins."),
    ]

    /// `routing.*`
    static let routing: [Setting<Settings>] = [
        Setting(
            "routing.route", \.policy.routing.route, .choice,
            "Where statements go unless a session, a comment or pools.overrides says otherwise."),
        Setting(
            "routing.consistency", \.policy.routing.consistency, .choice,
            "What a read must see: own writes, any state within the lag limits, or all writes."),
        Setting(
            "routing.primary_reads", \.policy.routing.primaryReads, .boolean,
            "Whether reads go to the primary while no replica is eligible."),
        Setting(
            "routing.maximum_lag", \.policy.routing.maximumLagBytes, .size(1...(1 << 50)),
            "Maximum WAL a replica may have left to replay; one with more gets no reads."),
        Setting(
            "routing.maximum_lag_time", \.policy.routing.maximumLagTime, .duration,
            "Maximum time a replica may be behind the primary; one further behind gets no reads."),
        Setting(
            "routing.hold_timeout", \.policy.routing.holdTimeout, .durationOrZero,
            "How long a statement waits while no node can run it, before it fails with 57P03."),
        Setting(
            "routing.weight_tag", \.policy.routing.weightTag, .optional(.text),
            "Patroni tag, 0 to 100, that scales a replica's share of reads; null for none."),
        Setting(
            "routing.read_functions", \.policy.routing.readFunctions, .list(of: .objectName),
            "Functions that may be called on replicas, whatever the database's catalogue says."),
        Setting(
            "routing.write_functions", \.policy.routing.writeFunctions, .list(of: .objectName),
            "Functions that are called on the primary, whatever the database's catalogue says."),
        Setting(
            "routing.primary_relations", \.policy.routing.primaryRelations, .list(of: .objectName),
            "Tables and views that are read on the primary only."),
        Setting(
            "routing.catalogue_interval", \.policy.routing.catalogueInterval, .duration,
            "Interval between readings of a database's functions and relations."),
    ]

    /// `tcp.*`
    static let tcp: [Setting<Settings>] = [
        Setting(
            "tcp.keepalive_idle", \.policy.tcp.keepaliveIdle, seconds,
            "Idle time before the first keepalive probe."),
        Setting(
            "tcp.keepalive_interval", \.policy.tcp.keepaliveInterval, seconds,
            "Interval between keepalive probes."),
        Setting(
            "tcp.keepalive_count", \.policy.tcp.keepaliveCount, .integer(1...127),
            "Unanswered keepalive probes after which the connection is closed."),
        Setting(
            "tcp.user_timeout", \.policy.tcp.userTimeout, .durationOrZero,
            "How long sent data may stay unacknowledged; 0 for the system's default."),
    ]

    /// What the system counts in whole seconds.
    private static let seconds = SettingKind.length(.seconds(1)...(.seconds(32_767)))

    /// `limits.*`
    static let limits: [Setting<Settings>] = [
        Setting(
            "limits.held_messages", \.policy.limits.heldMessages, .size(1024...(1 << 30)),
            "Messages held until their route is known; longer ones go to the primary unread."),
        Setting(
            "limits.statement", \.policy.limits.statement, .size(1024...(1 << 30)),
            "Maximum size of a prepared statement; it is kept as long as the session may use it."),
        Setting(
            "limits.pending_output", \.policy.limits.pendingOutput, .size(4096...(1 << 30)),
            "Bytes that wait for a slow receiver before its sender is no longer read."),
        Setting(
            "limits.startup_packet", \.policy.limits.startupPacket, .size(1024...(1 << 20)),
            "Maximum size of a client's startup packet."),
        Setting(
            "limits.message", \.policy.limits.message, .size(8192...0x3fff_ffff),
            "Maximum size of one message; PostgreSQL's own limit is just below 1 GB."),
        Setting(
            "limits.prepared_statements", \.policy.limits.preparedStatements,
            .integer(1...1_000_000), "Maximum number of prepared statements of one client."),
    ]

    /// `log.*`, and what is in no group.
    static let log: [Setting<Settings>] = [
        Setting("log.level", \.log.level, .choice, "Least severe level that is logged."),
        Setting(
            "log.format", \.log.format, .choice,
            "Format of log lines: text for people, json for collectors."),
        Setting(
            "log.statements", \.log.statements, .boolean,
            "Whether retried statements are logged with their text, which may hold secrets."),
        Setting(
            "shards", \.shards, .integer(0...1024),
            "Number of event loops; 0 for one for each core that the machine or container grants."
        ).restart,
        Setting(
            "drain_timeout", \.drainTimeout, .durationOrZero,
            "How long open transactions may go on after SIGTERM."),
    ]
}
