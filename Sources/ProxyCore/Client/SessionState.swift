// SPDX-License-Identifier: Apache-2.0

/// What a client's session holds and what follows it from server connection to server connection:
/// settings, statements prepared by SQL, and what keeps it on one connection.
struct SessionState {
    /// The settings of the startup packet.
    private(set) var startup = ParameterSet.empty
    private(set) var settings = ParameterSet.empty
    /// What the client was told of the settings that a server reports.
    private(set) var reported = ParameterSet.empty
    /// Names of settings with a dot that the session may have set.
    private(set) var customNames: Set<String> = []
    private(set) var pins: Set<Pin> = []
    /// Names the present temporary objects of the session; 0 without any.
    private(set) var temporaryVersion = 0

    /// Statements prepared by SQL.
    private(set) var sqlStatements = SQLStatements.empty
    /// Names the present statements prepared by SQL; 0 without any.
    private(set) var sqlVersion = 0
    /// The statement that the unit will have prepared once it is answered.
    private var preparing: SQLStatement?
    /// Statements prepared since the session's state was last read.
    private var prepared: [SQLStatement] = []

    // MARK: Settings

    /// The startup packet has these settings.
    mutating func started(with settings: ParameterSet, customNames: Set<String>) {
        startup = settings
        self.settings = settings
        self.customNames = customNames
    }

    /// The session has these settings.
    mutating func changed(to settings: ParameterSet) { self.settings = settings }

    /// The client knows that its server reports these settings.
    mutating func told(_ reported: ParameterSet) { self.reported = reported }

    /// A statement may set what it names.
    mutating func mayName(_ collect: (inout Set<String>) -> Void) { collect(&customNames) }

    // MARK: Pins

    /// These keep the session on one server connection now; returns those that are new.
    mutating func pinned(by pins: Set<Pin>) -> Set<Pin> {
        defer { self.pins = pins }
        if !pins.contains(.temporary) { temporaryVersion = 0 }
        return pins.subtracting(self.pins)
    }

    /// Temporary objects may have changed.
    mutating func temporaryObjectsChanged(to version: Int) { temporaryVersion = version }

    // MARK: Statements prepared by SQL

    /// A unit is about to be sent that prepares this statement, or none.
    mutating func willPrepare(_ statement: SQLStatement?) { preparing = statement }

    /// A PREPARE is done.
    mutating func prepareCompleted() {
        if let preparing, SQLStatements(prepared + [preparing]).isWithinLimits {
            prepared.append(preparing)
        }
        preparing = nil
    }

    /// `DEALLOCATE ALL` or `DISCARD ALL` is done.
    mutating func deallocatedAll() {
        prepared = []
        sqlStatements = .empty
    }

    /// The statements that may be there: those known before, and those prepared since.
    mutating func takeCandidates() -> [SQLStatement] {
        defer { prepared = [] }
        return sqlStatements.entries + prepared
    }

    /// The session has exactly these statements.
    mutating func found(_ statements: SQLStatements, version: Int) {
        sqlStatements = statements
        sqlVersion = version
    }
}
