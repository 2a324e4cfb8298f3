// SPDX-License-Identifier: Apache-2.0

import PostgresWire
import ProxyCore

/// A byte of options, then messages, each with its length before it: what a client answers to
/// martlet, or what a server says to it.
enum ScramFuzz {
    private static let keys = ScramKeys(
        password: Array("pencil".utf8), salt: Array("0123456789abcdef".utf8), iterations: 4096)
    private static let rules: LoginRules = {
        var policy = AuthenticationPolicy()
        policy.users = [
            .init(name: "scram", secret: keys.secret.text),
            .init(name: "digest", secret: "md53f94e93ce9a9b8a8cd6a4a2e0d8b2d2a"),
        ]
        return LoginRules(policy: policy, processKey: [UInt8](repeating: 1, count: 32))
    }()

    static func run(_ input: Input) {
        var input = input
        let options = input.byte()
        var messages: [[UInt8]] = []
        while !input.isEmpty && messages.count < 8 { messages.append(input.block()) }
        // The seeds have been said to these nonces, so that the fuzzer gets to the end; to others
        // they are of no use to anybody.
        let (recorded, fresh) = ([UInt8](repeating: 2, count: 18), [UInt8](repeating: 3, count: 18))
        if options & 1 == 0 {
            _ = logsIn(messages, options, nonce: recorded)
            require(!logsIn(messages, options, nonce: fresh), "a login was heard and repeated")
        } else {
            _ = isVerified(messages, options, nonce: recorded)
            require(!isVerified(messages, options, nonce: fresh), "a server's answer was repeated")
        }
        for text in messages {
            if let decoded = Base64.decode(text) {
                require(Base64.encode(decoded) == text, "two spellings of the same bytes")
            }
            if let secret = ScramSecret(text: String(decoding: text, as: UTF8.self)) {
                require(ScramSecret(text: secret.text) == secret, "a secret that changes")
            }
        }
    }

    private static func binding(_ options: UInt8) -> [UInt8]? {
        options & 2 == 0 ? nil : [UInt8](repeating: 7, count: 32)
    }

    /// Whether a client that sends these messages is let in.
    private static func logsIn(_ messages: [[UInt8]], _ options: UInt8, nonce: [UInt8]) -> Bool {
        var output = ByteQueue(pool: BytePool())
        var exchange = AuthenticationExchange(
            user: options & 4 == 0 ? "scram" : "digest", rules: rules, nonce: nonce,
            channelBinding: binding(options))
        require(exchange.begin(into: &output) == .wait, "nobody is asked for a password")
        for message in messages {
            let step = unsafe exchange.received(
                type: UInt8(ascii: "p"), body: message.span.bytes, into: &output)
            switch step {
            case .wait: continue
            case .lookUpSecret: fatalError("a user of the configuration is looked up")
            case .authenticated: return true
            case .failed: return false
            }
        }
        return false
    }

    /// Whether martlet believes a server that sends these messages that it knows the password.
    private static func isVerified(
        _ messages: [[UInt8]], _ options: UInt8, nonce: [UInt8]
    ) -> Bool {
        var output = ByteQueue(pool: BytePool())
        let credential: ServerCredential =
            options & 4 == 0 ? .keys(keys) : .md5(Array("md5".utf8) + nonce)
        var exchange = ServerAuthentication(
            user: "scram", credential: credential, nonce: nonce,
            channelBinding: binding(options), isEncrypted: options & 2 != 0)
        for message in messages {
            guard let step = try? unsafe exchange.received(message.span.bytes, into: &output) else {
                break
            }
            if step == .authenticated { break }
        }
        return exchange.learned != nil
    }
}
