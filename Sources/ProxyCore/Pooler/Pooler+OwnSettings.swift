// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// `SET`, `RESET` and `SHOW` of `martlet.*`, which no server is asked about.
///
/// Set in another way (`set_config`, a statement beside others) they reach a server, which accepts
/// any name with a dot; what it has then is read back with the other settings (`Pooler+Settle`).
extension Pooler {
    struct OwnSetting {
        enum Action {
            /// Nil is DEFAULT.
            case set(String?)
            case reset
            case show
        }

        let name: String
        let action: Action
    }

    /// What a statement does with a setting of martlet's own; nil when it does something else.
    func ownSetting(_ statement: LocalStatement) -> OwnSetting? {
        let range: Range<Int>
        switch statement.command {
        case .set(let name, _, let isLocal):
            // SET LOCAL ends with its transaction, as the server knows best.
            if isLocal { return nil }
            range = name
        case .setDefault(let name), .reset(let name), .show(let name): range = name
        default: return nil
        }
        let text = statement.text
        let name = String(decoding: SettingText.name(text.span, range), as: UTF8.self)
        guard OwnSettings.names.contains(name) else { return nil }
        switch statement.command {
        case .set(_, let value?, _):
            let decoded = SettingText.value(text.span, value, name: Array(name.utf8))
            return decoded.map {
                OwnSetting(name: name, action: .set(String(decoding: $0, as: UTF8.self)))
            }
        case .show: return OwnSetting(name: name, action: .show)
        case .reset: return OwnSetting(name: name, action: .reset)
        default: return OwnSetting(name: name, action: .set(nil))
        }
    }

    func execute(
        _ setting: OwnSetting, _ statement: LocalStatement, for client: ClientSession, now: Instant
    ) -> LocalOutcome {
        if case .show = setting.action {
            return .row(
                column: setting.name, value: ownValue(setting.name, client), tag: "SHOW")
        }
        client.transaction.settingsWillChange(from: client.own)
        switch setting.action {
        case .set(let value?):
            let wrong = client.own.set(
                setting.name, to: value, position: &client.position, now: now)
            return wrong.map { .failed(ErrorResponse(.error, "22023", $0)) }
                ?? .completed(tag: "SET")
        case .set(nil):
            resetOwn(setting.name, client)
            return .completed(tag: "SET")
        case .reset, .show:
            resetOwn(setting.name, client)
            return .completed(tag: "RESET")
        }
    }

    private func resetOwn(_ name: String, _ client: ClientSession) {
        if name == OwnSettings.position { return client.position.reset() }
        client.own.reset(name, to: client.ownAtStart)
    }

    /// Whether what a `SHOW martlet.position` would give is not yet all that the session did.
    func mustAwaitPosition(_ statement: LocalStatement, _ client: ClientSession) -> Bool {
        guard client.status == .idle, let setting = ownSetting(statement),
            setting.name == OwnSettings.position, case .show = setting.action
        else { return false }
        client.position.settle(with: topology)
        return !client.position.isSettled
    }

    private func ownValue(_ name: String, _ client: ClientSession) -> String {
        switch name {
        case OwnSettings.route: return (client.own.route ?? client.route).rawValue
        case OwnSettings.consistency:
            return (client.own.consistency ?? client.consistency).rawValue
        default:
            client.position.settle(with: topology)
            return client.position.token.description
        }
    }

    // MARK: What a server was told

    /// Takes what a server has of martlet's own settings out of what was found there. A value that
    /// is none cannot be refused any more; the client is warned that it means nothing.
    func adoptOwn(
        from settings: inout [String: String], _ client: ClientSession, now: Instant
    ) {
        if client.transaction.resets >= .all { client.own = client.ownAtStart }
        if client.transaction.resets == .session { client.position.reset() }
        for name in OwnSettings.names {
            // Empty is what remains of a name that was reset.
            guard let value = settings.removeValue(forKey: name), !value.isEmpty else { continue }
            let wrong = client.own.set(name, to: value, position: &client.position, now: now)
            guard let wrong else { continue }
            ErrorResponse(.warning, "22023", wrong).write(to: &client.output)
            markDirty(client)
        }
    }
}
