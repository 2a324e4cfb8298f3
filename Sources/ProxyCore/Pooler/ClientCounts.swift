// SPDX-License-Identifier: Apache-2.0

/// How many clients a shard has, and whether it takes more.
struct ClientCounts {
    private(set) var connected = 0
    /// Clients that are not ready yet, for which a login timeout runs.
    private(set) var loggingIn = 0
    /// martlet shuts down: no new clients.
    private(set) var isDraining = false

    mutating func accepted() {
        connected += 1
        loggingIn += 1
    }

    mutating func loggedIn() { loggingIn -= 1 }

    mutating func left(beforeLogin: Bool) {
        connected -= 1
        if beforeLogin { loggingIn -= 1 }
    }

    mutating func drained() { isDraining = true }
}
