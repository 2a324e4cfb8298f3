// SPDX-License-Identifier: Apache-2.0

/// Who a client is, and what applies to its sessions.
struct ClientAccount {
    /// Its connection is encrypted.
    private(set) var isEncrypted = false
    private(set) var user = ""
    private(set) var database: DatabaseState
    private(set) var policy = SharedPolicy.standard
    /// The route and the consistency where the session asks for no others.
    private(set) var route = Route.auto
    private(set) var consistency = Consistency.session
    /// The part of the cancel key that a client must know.
    private(set) var cancelSecret: [UInt8] = []
    /// Client limits that it occupies; released when it disconnects.
    private var heldLimits: [ClientGroup] = []

    init(database: DatabaseState) { self.database = database }

    /// Its connection is encrypted from now on.
    mutating func secured() { isEncrypted = true }

    /// The client has proved who it is.
    mutating func loggedIn(as user: String, to database: DatabaseState) {
        self.user = user
        self.database = database
    }

    /// The configuration says what applies.
    mutating func apply(_ policy: SharedPolicy, route: Route, consistency: Consistency) {
        self.policy = policy
        self.route = route
        self.consistency = consistency
    }

    /// The client is told its cancel key.
    mutating func given(cancelSecret: [UInt8]) { self.cancelSecret = cancelSecret }

    /// It occupies a place.
    mutating func occupies(_ group: ClientGroup) { heldLimits.append(group) }

    /// It gives up a place; returns false when it had none.
    mutating func givesUp(_ group: ClientGroup) -> Bool {
        guard let index = heldLimits.firstIndex(of: group) else { return false }
        heldLimits.remove(at: index)
        return true
    }

    /// It disconnects and gives up all of its places.
    mutating func takeHeldLimits() -> [ClientGroup] {
        defer { heldLimits.removeAll() }
        return heldLimits
    }
}
