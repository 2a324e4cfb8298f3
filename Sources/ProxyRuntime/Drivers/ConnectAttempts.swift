// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// The addresses still to be tried for servers that are being connected, in the resolver's order.
package struct ConnectAttempts {
    private var remaining: [ConnectionID: ArraySlice<SocketAddress>] = [:]

    package init() {}

    package mutating func begin(_ id: ConnectionID, _ addresses: [SocketAddress]) {
        remaining[id] = addresses[...]
    }

    /// The connection is there, or nobody wants it any more.
    package mutating func end(_ id: ConnectionID) { remaining[id] = nil }

    /// Whether it is being connected.
    package func isPending(_ id: ConnectionID) -> Bool { remaining[id] != nil }

    /// A socket that is connecting to the next address that can be tried at all.
    package mutating func next(_ id: ConnectionID) throws(SocketError) -> Socket {
        var failure = SocketError.unresolvable(host: "server", reason: "no address")
        while let address = remaining[id]?.popFirst() {
            do throws(SocketError) {
                return try Socket.connecting(to: address)
            } catch {
                failure = error
            }
        }
        throw failure
    }
}
