// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import Testing
@testable import ProxyCore

/// What a client's first bytes lead to, before and after TLS.
struct ClientEncryptionTests {
    /// Nothing is ever full here.
    private final class Ledger: ServerLedger {
        let isShared = false
        func acquire(_ pool: PoolKey, _ limits: ServerLimits) -> SlotVerdict { .granted }
        func release(_ pool: PoolKey) {}
        func setWaiting(_ pool: PoolKey, shard: ShardID, since: Instant?) {}
        func longerWaiting(
            _ pool: PoolKey, than since: Instant?, shard: ShardID
        ) -> ShardID? { nil }
        func acquireClient(in group: ClientGroup, maximum: Int) -> Bool { true }
        func releaseClient(in group: ClientGroup) {}
    }

    private let start = Instant(1_000_000_000)
    private let sslRequest: [UInt8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]
    private let gssRequest: [UInt8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30]
    private let startup: [UInt8] = [0, 0, 0, 18, 0, 3, 0, 0] + Array("user\0app\0\0".utf8)

    private func pooler(_ mode: ClientSSLMode) -> Pooler {
        var policy = ProxyPolicy()
        policy.authentication.encryption.mode = mode
        return Pooler(
            shard: ShardID(0), of: 2, policy: policy,
            rules: LoginRules(
                policy: policy.authentication, processKey: [UInt8](repeating: 7, count: 32)),
            topology: Topology(), ledger: Ledger(), randomSeed: 1, now: start)
    }

    private func output(_ pooler: Pooler, _ id: ConnectionID) -> [UInt8] {
        var bytes: [UInt8] = []
        pooler.withOutput(of: id) {
            bytes = [UInt8](copying: $0)
            return $0.byteCount
        }
        return bytes
    }

    private func effects(_ pooler: Pooler) -> [Effect] {
        var effects: [Effect] = []
        while let effect = pooler.nextEffect() { effects.append(effect) }
        return effects.filter { if case .log = $0 { false } else { true } }
    }

    private func send(_ bytes: [UInt8], _ pooler: Pooler, _ id: ConnectionID) {
        #expect(pooler.received(bytes.rawSpan, from: id, now: start).count == bytes.count)
    }

    private func encryption(agreed: Bool = true) -> Encryption {
        var encryption = Encryption(version: "TLSv1.3", cipher: "X", channelBinding: [1, 2, 3])
        encryption.hasAgreedProtocol = agreed
        return encryption
    }

    @Test func `a request is answered with yes where TLS is offered, and with no elsewhere`() {
        for (mode, answer) in [(ClientSSLMode.disable, "N"), (.allow, "S"), (.verifyFull, "S")] {
            let pooler = pooler(mode)
            let id = pooler.accepted(peer: "p", listener: nil, now: start)
            send(gssRequest, pooler, id)
            #expect(output(pooler, id) == Array("N".utf8))
            send(sslRequest, pooler, id)
            #expect(
                effects(pooler) == (answer == "S" ? [.startTLS(id, received: [])] : []))
            #expect(output(pooler, id) == Array(answer.utf8))
        }
    }

    // Edge cases: 1
    @Test func `what comes behind a request before its answer is refused`() {
        let pooler = pooler(.allow)
        let id = pooler.accepted(peer: "p", listener: nil, now: start)
        send(sslRequest + startup, pooler, id)
        #expect(effects(pooler) == [.close(id)])
        let words = String(decoding: output(pooler, id), as: UTF8.self)
        #expect(words.hasPrefix("E") && words.contains("C08P01"))
    }

    @Test func `a TLS record as the first byte is a handshake, with all that came`() {
        let pooler = pooler(.require)
        let id = pooler.accepted(peer: "p", listener: nil, now: start)
        let hello: [UInt8] = [0x16, 3, 1, 0, 5, 1, 2, 3, 4, 5]
        send(hello, pooler, id)
        #expect(effects(pooler) == [.startTLS(id, received: hello)])
        #expect(output(pooler, id).isEmpty)
        pooler.secured(id, encryption(), now: start)
        #expect(effects(pooler).isEmpty)
    }

    // Edge cases: 4
    @Test(arguments: [true, false])
    func `direct TLS needs ALPN, and TLS by request does not`(isDirect: Bool) {
        let pooler = pooler(.require)
        let id = pooler.accepted(peer: "p", listener: nil, now: start)
        send(isDirect ? [0x16, 3, 1] : sslRequest, pooler, id)
        _ = effects(pooler)
        pooler.secured(id, encryption(agreed: false), now: start)
        #expect(effects(pooler) == (isDirect ? [.close(id)] : []))
    }

    @Test func `direct TLS where there is none, or after a request, is closed without a word`() {
        let without = pooler(.disable)
        let id = without.accepted(peer: "p", listener: nil, now: start)
        send([0x16, 3, 1, 0], without, id)
        #expect(effects(without) == [.close(id)])
        #expect(output(without, id).isEmpty)

        let with = pooler(.allow)
        let other = with.accepted(peer: "p", listener: nil, now: start)
        send(gssRequest, with, other)
        _ = output(with, other)
        send([0x16, 3, 1, 0], with, other)
        #expect(effects(with) == [.close(other)])
    }

    @Test func `who is encrypted is offered channel binding, and asks for TLS in vain`() {
        let pooler = pooler(.require)
        for (bytes, words) in [
            (startup, "SCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0"), (sslRequest, "C0A000"),
        ] {
            let id = pooler.accepted(peer: "p", listener: nil, now: start)
            send(sslRequest, pooler, id)
            _ = output(pooler, id)
            pooler.secured(id, encryption(), now: start)
            send(bytes, pooler, id)
            if bytes == startup {
                pooler.secretArrived(.absent(fetchedAt: start), for: id, now: start)
            }
            #expect(String(decoding: output(pooler, id), as: UTF8.self).contains(words))
            #expect(pooler.statistics(now: start).counters.encryptedClients == 1)
            pooler.disconnected(id, reason: "left", now: start)
        }
        #expect(pooler.statistics(now: start).counters.encryptedClients == 0)
    }

    @Test func `who is not encrypted is refused before a password is asked for`() {
        let pooler = pooler(.require)
        let id = pooler.accepted(peer: "p", listener: nil, now: start)
        send(startup, pooler, id)
        #expect(effects(pooler) == [.close(id)])
        #expect(String(decoding: output(pooler, id), as: UTF8.self).contains("C28000"))
        #expect(pooler.counters.logins[.encryptionRefused] == 1)
    }

    @Test func `a cancel request needs no TLS, as in PostgreSQL`() {
        let pooler = pooler(.require)
        let id = pooler.accepted(peer: "p", listener: nil, now: start)
        send([0, 0, 0, 16, 0x04, 0xd2, 0x16, 0x2e] + [UInt8](repeating: 1, count: 8), pooler, id)
        #expect(output(pooler, id).isEmpty)
        let request = ShardMessage.cancel(
            BackendKeyData(processID: 0x0101_0101, secret: [1, 1, 1, 1]))
        #expect(effects(pooler) == [.post(ShardID(1), request), .close(id)])
        #expect(pooler.counters.logins[.encryptionRefused] == 0)
    }
}
