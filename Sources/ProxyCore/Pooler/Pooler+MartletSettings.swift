// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
internal import StatementClassifier

/// `SET`, `RESET` and `SHOW` of `martlet.*`, which no server is asked about.
///
/// Set in another way (`set_config`, a statement beside others) they reach a server, which accepts
/// any name with a dot; what it has then is read back with the other settings (`Pooler+Settle`).
extension Pooler {
    struct MartletSetting {
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
    func martletSetting(_ statement: LocalStatement) -> MartletSetting? {
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
        guard MartletSettings.names.contains(name) else { return nil }
        switch statement.command {
        case .set(_, let value?, _):
            let decoded = SettingText.value(text.span, value, name: Array(name.utf8))
            return decoded.map {
                MartletSetting(name: name, action: .set(String(decoding: $0, as: UTF8.self)))
            }
        case .show: return MartletSetting(name: name, action: .show)
        case .reset: return MartletSetting(name: name, action: .reset)
        default: return MartletSetting(name: name, action: .set(nil))
        }
    }

    func execute(
        _ setting: MartletSetting, _ statement: LocalStatement, for client: ClientSession, now: Instant
    ) -> LocalOutcome {
        if case .show = setting.action {
            return .row(
                column: setting.name, value: martletValue(setting.name, client), tag: "SHOW")
        }
        client.transaction.settingsWillChange(from: client.martletSettings.current)
        switch setting.action {
        case .set(let value?):
            let wrong = client.martletSettings.set(
                setting.name, to: value, position: &client.position, now: now)
            return wrong.map { .failed(ErrorResponse(.error, "22023", $0)) }
                ?? .completed(tag: "SET")
        case .set(nil):
            resetMartlet(setting.name, client)
            return .completed(tag: "SET")
        case .reset, .show:
            resetMartlet(setting.name, client)
            return .completed(tag: "RESET")
        }
    }

    private func resetMartlet(_ name: String, _ client: ClientSession) {
        if name == MartletSettings.position { return client.position.reset() }
        client.martletSettings.reset(name)
    }

    /// Whether what a `SHOW martlet.position` would give is not yet all that the session did.
    func mustAwaitPosition(_ statement: LocalStatement, _ client: ClientSession) -> Bool {
        guard client.status == .idle, let setting = martletSetting(statement),
            setting.name == MartletSettings.position, case .show = setting.action
        else { return false }
        client.position.settle(with: topology)
        return !client.position.isSettled
    }

    private func martletValue(_ name: String, _ client: ClientSession) -> String {
        switch name {
        case MartletSettings.route: return (client.martletSettings.current.route ?? client.route).rawValue
        case MartletSettings.consistency:
            return (client.martletSettings.current.consistency ?? client.consistency).rawValue
        default:
            client.position.settle(with: topology)
            return client.position.token.description
        }
    }

    // MARK: What a server was told

    /// Takes what a server has of martlet's own settings out of what was found there. A value that
    /// is none cannot be refused any more; the client is warned that it means nothing.
    func importMartletSettings(
        from settings: inout [String: String], _ client: ClientSession, now: Instant
    ) {
        if client.transaction.resets >= .all { client.martletSettings.resetAll() }
        if client.transaction.resets == .session { client.position.reset() }
        for name in MartletSettings.names {
            // Empty is what remains of a name that was reset.
            guard let value = settings.removeValue(forKey: name), !value.isEmpty else { continue }
            let wrong = client.martletSettings.set(name, to: value, position: &client.position, now: now)
            guard let wrong else { continue }
            ErrorResponse(.warning, "22023", wrong).write(to: &client.output)
            markDirty(client)
        }
    }
}
