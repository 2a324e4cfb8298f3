// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore
import StatementClassifier

/// What happens to a transaction; one word of a script.
enum TransactionEvent: Sendable {
    case begin, beginReadOnly, beginReadWrite, beginSerializable
    case setReadOnly, setReadWrite, setReadCommitted
    case commit, rollback
    case carried, replied, beginFailed, prepareFailed, unitFailed
    case ready(TransactionStatus)
    case sent, sentControl
    case lost, lostInUnit(mayHaveCommitted: Bool), left
    case without(TransactionControl)
}

extension SessionTransaction {
    /// The transaction after these events, each a nanosecond after the one before.
    init(after events: [TransactionEvent], from start: Instant) {
        self.init()
        var now = start
        for event in events {
            apply(event, at: now)
            now = Instant(now.nanoseconds + 1)
        }
    }

    mutating func apply(_ event: TransactionEvent, at now: Instant) {
        switch event {
        case .begin: began(by: text("BEGIN"), TransactionModes(), at: now)
        case .beginReadOnly: began(by: text("BEGIN READ ONLY"), modes(true), at: now)
        case .beginReadWrite: began(by: text("BEGIN READ WRITE"), modes(false), at: now)
        case .beginSerializable:
            began(by: text("BEGIN ISOLATION"), modes(level: .serializable), at: now)
        case .setReadOnly: modesSet(by: text("SET READ ONLY"), modes(true))
        case .setReadWrite: modesSet(by: text("SET READ WRITE"), modes(false))
        case .setReadCommitted: modesSet(by: text("SET ISOLATION"), modes(level: .readCommitted))
        case .commit: _ = endedDeferred(isRollback: false)
        case .rollback: _ = endedDeferred(isRollback: true)
        case .carried: carried()
        case .replied: replied()
        case .beginFailed: beginFailed()
        case .prepareFailed: prepareFailed()
        case .unitFailed: unitFailed()
        case .ready(let status): _ = ready(status, at: now)
        case .sent:
            var deeds = Deeds()
            deeds.touchesData = true
            sent(deeds)
        case .sentControl:
            var deeds = Deeds()
            deeds.controlsTransaction = true
            sent(deeds)
        case .lost: serverLost()
        case .lostInUnit(let mayHaveCommitted): _ = serverLost(mayHaveCommitted: mayHaveCommitted)
        case .left: serverLeft()
        case .without(let control): _ = executedWithoutServer(control, at: now)
        }
    }

    private func text(_ words: String) -> [UInt8] { Array(words.utf8) }

    private func modes(_ readOnly: Bool? = nil, level: IsolationLevel? = nil) -> TransactionModes {
        var modes = TransactionModes()
        modes.readOnly = readOnly
        modes.isolation = level
        return modes
    }
}
