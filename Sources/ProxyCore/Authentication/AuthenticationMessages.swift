// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// The kinds of `R` messages, by the number that tells them apart.
package enum AuthenticationCode {
    /// `AuthenticationOk`.
    package static let ok: Int32 = 0
    /// `AuthenticationCleartextPassword`.
    package static let cleartextPassword: Int32 = 3
    /// `AuthenticationMD5Password`, with four bytes of salt.
    package static let md5Password: Int32 = 5
    /// `AuthenticationSASL`, with the names of mechanisms.
    package static let sasl: Int32 = 10
    /// `AuthenticationSASLContinue`, with a challenge.
    package static let saslContinue: Int32 = 11
    /// `AuthenticationSASLFinal`, with the server's proof.
    package static let saslFinal: Int32 = 12
}

extension ByteQueue {
    /// `AuthenticationOk`, `AuthenticationSASL` and their kin: `R`, the code, what belongs to it.
    package mutating func appendAuthentication(_ code: Int32, _ payload: [UInt8] = []) {
        append(byte: UInt8(ascii: "R"))
        append(int32: Int32(8 + payload.count))
        append(int32: code)
        append(payload)
    }

    /// `SASLInitialResponse`.
    package mutating func appendSASLInitialResponse(mechanism: String, response: [UInt8]) {
        let name = Array(mechanism.utf8) + [0]
        append(byte: UInt8(ascii: "p"))
        append(int32: Int32(4 + name.count + 4 + response.count))
        append(name)
        append(int32: Int32(response.count))
        append(response)
    }

    /// `SASLResponse`, or `PasswordMessage` when the payload ends with a zero.
    package mutating func appendPasswordFamily(_ payload: [UInt8]) {
        append(byte: UInt8(ascii: "p"))
        append(int32: Int32(4 + payload.count))
        append(payload)
    }
}

/// The body of a `SASLInitialResponse`.
struct SASLInitialResponse: Equatable {
    let mechanism: [UInt8]
    /// Nil where the client sends its first message only when asked for it.
    let response: [UInt8]?

    /// Nil where the body is anything but exactly that.
    init?(body: [UInt8]) {
        guard let end = body.firstIndex(of: 0), body.count - end - 1 >= 4 else { return nil }
        mechanism = Array(body[..<end])
        let rest = body[(end + 5)...]
        let length = body[(end + 1)..<(end + 5)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        if length == .max {
            guard rest.isEmpty else { return nil }
            response = nil
        } else {
            guard rest.count == Int(length) else { return nil }
            response = Array(rest)
        }
    }
}

extension Array where Element == UInt8 {
    /// A copy: what logins send is small, and outlives the buffer that it came in.
    package init(copying span: RawSpan) {
        self = unsafe span.withUnsafeBytes { unsafe Array($0) }
    }
}
