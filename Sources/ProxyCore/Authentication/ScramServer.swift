// SPDX-License-Identifier: Apache-2.0

/// The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677): we check a client.
///
///     first ──client-first──▶ final ──client-final──▶ over
///
/// A user without a secret gets a mock one (`isGenuine` false) and the very same exchange, so
/// that it does not reveal which users exist; only its final verdict is always "wrong".
/// The proof gives us the client's key: with it we can log in at every server that has the same
/// secret, which is how no password is stored here.
package struct ScramServer: Sendable {
    private enum Phase {
        case first
        case final(first: First)
        case over
    }

    /// The parts of the first two messages that the last one must match.
    private struct First {
        let header: [UInt8]
        let nonce: [UInt8]
        /// The client's first message without the GS2 header, a comma, our first message, a comma.
        let transcript: [UInt8]
    }

    /// The result of verifying the client's proof.
    package enum Verdict: Equatable, Sendable {
        /// The password is right. `message` is to be sent; it proves that we know the secret.
        case accepted(message: [UInt8], keys: ScramKeys)
        /// The password is wrong, or the user does not exist.
        case rejected
    }

    /// Without binding to the TLS channel.
    package static let mechanism = "SCRAM-SHA-256"
    /// The mechanism with channel binding.
    package static let bindingMechanism = "SCRAM-SHA-256-PLUS"

    private let secret: ScramSecret
    private let isGenuine: Bool
    private let ownNonce: [UInt8]
    private let channelBinding: [UInt8]?
    private let bindsChannel: Bool
    private var phase = Phase.first

    /// - Parameters:
    ///   - nonce: random bytes, never used before; PostgreSQL takes 18.
    ///   - channelBinding: the `tls-server-end-point` data, when we offered `-PLUS`.
    ///   - bindsChannel: whether the client chose `-PLUS`.
    package init(
        secret: ScramSecret, isGenuine: Bool, nonce: [UInt8], channelBinding: [UInt8]? = nil,
        bindsChannel: Bool = false
    ) {
        precondition(nonce.count >= 16, "a nonce must not be guessable")
        self.init(
            secret: secret, isGenuine: isGenuine, printableNonce: Base64.encode(nonce),
            channelBinding: channelBinding, bindsChannel: bindsChannel)
    }

    /// Takes the characters of the nonce.
    init(
        secret: ScramSecret, isGenuine: Bool, printableNonce: [UInt8], channelBinding: [UInt8]?,
        bindsChannel: Bool
    ) {
        precondition(!bindsChannel || channelBinding != nil, "what was not offered was chosen")
        self.secret = secret
        self.isGenuine = isGenuine
        self.ownNonce = printableNonce
        self.channelBinding = channelBinding
        self.bindsChannel = bindsChannel
    }

    /// The client's first message arrived; returns ours.
    package mutating func received(first message: [UInt8]) throws(ScramFault) -> [UInt8] {
        let current = phase
        phase = .over
        guard case .first = current else { throw .malformed("The exchange has begun already.") }
        var text = try ScramText(message)
        try readBindingFlag(&text)
        try refuseAuthorizationIdentity(&text)
        let header = Array(message.prefix(message.count - text.rest.count))
        let bare = Array(text.rest)
        if text.next == UInt8(ascii: "m") {
            throw .unsupported("client requires an unsupported SCRAM extension")
        }
        // The name is that of the startup packet; clients leave this one empty, or send a "*".
        _ = try text.value(of: "n")
        let clientNonce = try text.value(of: "r")
        guard ScramText.isNonce(clientNonce) else {
            throw .malformed("non-printable characters in SCRAM nonce")
        }
        try text.skipExtensions()

        let nonce = Array(clientNonce) + ownNonce
        let reply =
            Array("r=".utf8) + nonce + Array(",s=".utf8) + Base64.encode(secret.salt)
            + Array(",i=\(secret.iterations)".utf8)
        phase = .final(
            first: First(
                header: header, nonce: nonce, transcript: bare + [0x2c] + reply + [0x2c]))
        return reply
    }

    /// The client's last message arrived.
    package mutating func received(final message: [UInt8]) throws(ScramFault) -> Verdict {
        let current = phase
        phase = .over
        guard case .final(let first) = current else {
            throw .malformed("The exchange is not at its last message.")
        }
        let (withoutProof, proof) = try readFinal(message, first: first)
        let authMessage = first.transcript + withoutProof
        let signature = Digests.hmacSHA256(key: secret.storedKey, authMessage)
        let clientKey = Digests.exclusiveOr(proof, signature)
        let isRight = Digests.areEqual(Digests.sha256(clientKey), secret.storedKey)
        guard isRight && isGenuine else { return .rejected }
        let serverSignature = Digests.hmacSHA256(key: secret.serverKey, authMessage)
        return .accepted(
            message: Array("v=".utf8) + Base64.encode(serverSignature),
            keys: ScramKeys(secret: secret, clientKey: clientKey))
    }

    // MARK: Reading

    /// The first field of the GS2 header: what the client says about binding to the channel.
    private func readBindingFlag(_ text: inout ScramText) throws(ScramFault) {
        switch text.next {
        case UInt8(ascii: "n"), UInt8(ascii: "y"):
            if bindsChannel {
                throw .malformed(
                    "The client selected SCRAM-SHA-256-PLUS, but the SCRAM message does not "
                        + "include channel binding data.")
            }
            // "y": it could, and believes that we cannot. When we said that we can, somebody
            // between us took that out of the list.
            let thinksWeCannot = text.next == UInt8(ascii: "y")
            if thinksWeCannot && channelBinding != nil { throw .downgraded }
            try text.take(thinksWeCannot ? "y" : "n")
            try text.take(",")
        case UInt8(ascii: "p"):
            guard bindsChannel else {
                throw .malformed(
                    "The client selected SCRAM-SHA-256 without channel binding, but the SCRAM "
                        + "message includes channel binding data.")
            }
            let kind = try text.value(of: "p")
            guard kind.elementsEqual("tls-server-end-point".utf8) else {
                throw .malformed("Unsupported SCRAM channel-binding type.")
            }
        default:
            throw .malformed(
                "Unexpected channel-binding flag \(ScramText.shown(text.next)).")
        }
    }

    private func refuseAuthorizationIdentity(_ text: inout ScramText) throws(ScramFault) {
        if text.next == UInt8(ascii: "a") {
            throw .unsupported("client uses authorization identity, but it is not supported")
        }
        guard text.next == UInt8(ascii: ",") else {
            throw .malformed(
                "Unexpected attribute \(ScramText.shown(text.next)) in client-first-message.")
        }
        try text.take(",")
    }

    /// `c=binding,r=nonce[,extensions],p=proof`: all before the proof, and the proof.
    private func readFinal(
        _ message: [UInt8], first: First
    ) throws(ScramFault) -> (withoutProof: [UInt8], proof: [UInt8]) {
        var text = try ScramText(message)
        let binding = try text.value(of: "c")
        let expected = first.header + (bindsChannel ? channelBinding ?? [] : [])
        guard Array(binding) == Base64.encode(expected) else {
            throw .malformed(
                bindsChannel
                    ? "SCRAM channel binding check failed"
                    : "Unexpected SCRAM channel-binding attribute in client-final-message.")
        }
        guard try text.value(of: "r").elementsEqual(first.nonce) else {
            throw .malformed("Nonce does not match.")
        }
        while true {
            let start = message.count - text.rest.count
            let (name, value) = try text.attribute()
            guard name == UInt8(ascii: "p") else { continue }
            guard text.isAtEnd else {
                throw .malformed("Garbage found at the end of client-final-message.")
            }
            guard let proof = Base64.decode(value), proof.count == Digests.sha256Length else {
                throw .malformed("Malformed proof in client-final-message.")
            }
            // The comma before the proof is not part of what is signed.
            return (Array(message.prefix(start - 1)), proof)
        }
    }
}

extension ScramSecret {
    /// A secret for a user who has none: looks like any other, and no password fits it.
    ///
    /// - Parameter processKey: random bytes of this process; the same for all its shards, so that a
    ///   user's salt does not change from one attempt to the next.
    package static func mock(user: String, processKey: [UInt8]) -> ScramSecret {
        func derived(_ use: String) -> [UInt8] {
            Digests.hmacSHA256(key: processKey, Array("\(use)\0\(user)".utf8))
        }
        return ScramSecret(
            iterations: standardIterations, salt: Array(derived("salt").prefix(16)),
            storedKey: derived("stored key"), serverKey: derived("server key"))
    }
}
