// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// What a statement that martlet answers itself changes in its session, and what the client gets.
extension ClientSession {
    /// Does what a statement says that martlet answers itself; nil is one that is not understood,
    /// in a transaction that no server has.
    func execute(
        _ statement: LocalStatement?, topology: borrowing Topology, hashing: ByteHash, now: Instant
    ) -> LocalOutcome {
        guard let statement, !transaction.isLost else { return executedWithoutServer(statement) }
        switch statement.meaning {
        case .begin(let modes):
            transaction.began(by: statement.text, modes, at: lastActivity)
            return .completed(tag: modes.isStartTransaction ? "START TRANSACTION" : "BEGIN")
        case .setTransaction(let modes):
            transaction.modesSet(by: statement.text, modes)
            return .completed(tag: "SET")
        case .end(let isRollback):
            let before = transaction.endedDeferred(isRollback: isRollback)
            martletSettings.rolledBack(to: before)
            return .completed(tag: isRollback ? "ROLLBACK" : "COMMIT")
        case .show(let name):
            return .row(column: name, value: value(of: name, topology), tag: "SHOW")
        case .set(let name, let value): return set(name, to: value, tag: "SET", now: now)
        case .reset(let name): return set(name, to: nil, tag: "RESET", now: now)
        case .deallocate(let name):
            let hash = hashing(name)
            // A Close before it in the same unit may have taken the name.
            guard statements.find(name.rawSpan, hash: hash) != nil else {
                return .failed(.noStatement(name.rawSpan))
            }
            statements.remove(hash: hash)
            return .completed(tag: "DEALLOCATE")
        case .aborted, nil: return executedWithoutServer(statement)
        }
    }

    /// The client believes to be in a transaction that no server has. It hears so once, and then,
    /// as from a server, that everything is ignored until it ends the transaction.
    func executedWithoutServer(_ statement: LocalStatement?) -> LocalOutcome {
        let (reply, before) = transaction.executedWithoutServer(
            statement?.control ?? .none, at: lastActivity)
        martletSettings.rolledBack(to: before)
        return LocalOutcome(reply, to: statement)
    }

    private func set(
        _ name: String, to value: String?, tag: String, now: Instant
    ) -> LocalOutcome {
        transaction.settingsWillChange(from: martletSettings.values)
        guard let value else {
            martletSettings.reset(name, position: &position)
            return .completed(tag: tag)
        }
        let wrong = martletSettings.set(name, to: value, position: &position, now: now)
        return wrong.map { .failed(ErrorResponse(.error, .invalidParameterValue, $0)) }
            ?? .completed(tag: tag)
    }

    private func value(of name: String, _ topology: borrowing Topology) -> String {
        switch name {
        case MartletSettings.route: return (martletSettings.values.route ?? route).rawValue
        case MartletSettings.consistency:
            return (martletSettings.values.consistency ?? consistency).rawValue
        default:
            position.resolveFloor(with: topology)
            return position.token.description
        }
    }
}
