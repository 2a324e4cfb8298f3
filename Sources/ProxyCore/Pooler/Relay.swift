// SPDX-License-Identifier: Apache-2.0

/// What the driver does with the first bytes of what it has just read.
package struct Relay: Equatable, Sendable {
    /// A piece of this size is relayed, and sent from where it lies; smaller ones are gathered in
    /// the output, so that one wake-up makes one send.
    package static let directCount = 16 << 10

    /// Bytes of the span that are dealt with; the driver calls again with the rest.
    package var count: Int
    /// Who gets exactly these bytes; nil when the core kept or dropped them.
    package var destination: ConnectionID?

    package init(count: Int, destination: ConnectionID? = nil) {
        self.count = count
        self.destination = destination
    }
}
