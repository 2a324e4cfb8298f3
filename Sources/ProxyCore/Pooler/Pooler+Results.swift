// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// A client that was told once which columns a statement has reads its rows by that; many drivers
/// describe a statement once and then only bind and execute it.
///
/// Where a table has changed since, PostgreSQL refuses the statement ("cached plan must not change
/// result type"). A server that has not had it yet would parse it anew and give the new columns. So
/// what the client was told is kept with its name for the statement, and what a server has of a
/// statement with that server; a unit runs where they agree, and gets PostgreSQL's error where they do
/// not. A server is asked before the unit where they are not known. Who was told of none needs no error.
extension Pooler {
    /// Runs the unit once its server is known to give the columns that the client expects, where it
    /// expects some.
    func compareColumns(
        _ client: ClientSession, on server: ServerConnection, now: Instant
    ) -> Step {
        guard server.status != .failed else { return .start }
        var asked: Set<Int> = []
        var isAnother = false
        for use in client.unit.messages.uses where use.columns != .unknown {
            let found = server.statements.columns(of: use.text.index)
            if found != .unknown {
                isAnother = isAnother || found != use.columns
            } else if asked.insert(use.text.index).inserted {
                _ = ensure(use.text, on: server, client)
                describe(use.text, on: server)
            }
        }
        if !asked.isEmpty {
            server.began(.columns)
            sync(server, .skip)
            return .wait
        }
        if isAnother && client.unit.runsOnReplica && client.unit.replay.isRepeatable {
            // It may be behind what the client was told; the primary is not.
            counters.retries.count(.unknownToReplica)
            return retryOnPrimary(client, from: server, now: now)
        }
        return .start
    }

    /// The server has described what it was asked for.
    func columnsDescribed(
        _ client: ClientSession, on server: ServerConnection, _ query: InternalQuery, now: Instant
    ) -> Step {
        guard let error = query.error else { return .compareColumns }
        // Otherwise the same error comes again, in its place in the unit.
        guard server.status == .failed else { return .start }
        let overdue = client.unit.overdue.map { ErrorResponse.canceled(for: $0.subject) }
        failOnServer(client, overdue ?? error, server, now: now)
        return .gather
    }
}
