// SPDX-License-Identifier: Apache-2.0

internal import ProxyConfiguration
package import ProxyCore

/// Makes the TLS sessions of one shard, which all share one buffer of records.
package final class ShardTLS {
    private let store: TLSStore
    /// Made when the first session needs it: half a megabyte.
    private lazy var records = RecordBuffer()

    private var peerContext: TLSContext?

    package init(_ store: TLSStore) { self.store = store }

    private func peers() throws(TLSFault) -> TLSContext {
        if let peerContext { return peerContext }
        let context = try TLSContext(forServers: ServerTLSSettings())
        peerContext = context
        return context
    }

    /// How servers are connected to.
    package var serverMode: ServerSSLMode { store.serverMode }

    /// For a client that asked for it, and what it sent without asking.
    package func sessionOfClient(early: [UInt8]) throws(TLSFault) -> TLSSession {
        guard let context = store.clientContext else { throw TLSFault("no certificate is loaded") }
        return try TLSSession(context, records: records, early: early)
    }

    /// For a server that agreed to it.
    package func sessionOfServer(host: String) throws(TLSFault) -> TLSSession {
        guard let context = store.serverContext else { throw TLSFault("TLS is not set up") }
        return try TLSSession(context, records: records, host: host)
    }

    /// For another martlet that agreed to it; who it is, is not verified.
    package func sessionOfPeer() throws(TLSFault) -> TLSSession {
        try TLSSession(try peers(), records: records)
    }

    /// Takes over a session of another shard.
    package func adopt(_ session: TLSSession) { session.move(to: records) }
}
