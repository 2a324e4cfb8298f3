// SPDX-License-Identifier: Apache-2.0

package import PostgresWire

/// Why a SCRAM exchange ended; by whose fault, and in the words of PostgreSQL where it has some.
package enum ScramFault: Error, Equatable, Sendable {
    /// The peer's message is not one that RFC 5802 allows here.
    case malformed(String)
    /// Well-formed, but for something that neither PostgreSQL nor martlet does.
    case unsupported(String)
    /// The client was told that martlet cannot bind to the channel, which martlet did not say.
    case downgraded
    /// The server's salt or iterations are not those of the secret that our `ClientKey` belongs to.
    case secretChanged
    /// More iterations than martlet is willing to compute.
    case tooManyIterations(Int)
    /// The server ended the exchange with this `e=` value.
    case refusedByServer(String)
    /// The server could not prove that it knows the secret, so it may be an impostor.
    case serverNotVerified

    /// The SQLSTATE that PostgreSQL would report.
    package var sqlState: SQLState {
        switch self {
        case .malformed: .protocolViolation
        case .unsupported: .featureNotSupported
        case .downgraded: .invalidAuthorizationSpecification
        case .secretChanged, .refusedByServer, .serverNotVerified: .invalidPassword
        case .tooManyIterations: .protocolViolation
        }
    }

    /// Fit to be sent: what the peer wrote is not in it, or made harmless.
    package var message: String {
        switch self {
        case .malformed: "malformed SCRAM message"
        case .unsupported(let what): what
        case .downgraded: "SCRAM channel binding negotiation error"
        case .secretChanged: "the server's SCRAM secret is another than the one known here"
        case .tooManyIterations(let count): "the server asks for \(count) SCRAM iterations"
        case .refusedByServer(let error): "the server refused the SCRAM exchange: \(error)"
        case .serverNotVerified: "the server did not prove that it knows the password"
        }
    }

    /// The text of the error's detail field.
    package var detail: String? {
        switch self {
        case .malformed(let detail):
            detail
        case .downgraded:
            "The client supports SCRAM channel binding but thinks the server does not. "
                + "However, this server does support channel binding."
        case .unsupported, .secretChanged, .tooManyIterations, .refusedByServer,
            .serverNotVerified:
            nil
        }
    }
}

/// Reads the attributes of one SCRAM message (RFC 5802, section 7): `name=value`, comma-separated.
///
/// A message is bounded before it gets here, so no attribute needs a bound of its own.
struct ScramText {
    /// PostgreSQL's PG_MAX_SASL_MESSAGE_LENGTH.
    static let maximumLength = 1024

    private(set) var rest: ArraySlice<UInt8>

    init(_ message: [UInt8]) throws(ScramFault) {
        guard !message.isEmpty else { throw .malformed("The message is empty.") }
        guard message.count <= Self.maximumLength else {
            throw .malformed("Message length is over \(Self.maximumLength) bytes.")
        }
        guard !message.contains(0) else {
            throw .malformed("Message length does not match input length.")
        }
        rest = message[...]
    }

    var isAtEnd: Bool { rest.isEmpty }
    var next: UInt8? { rest.first }

    /// Takes one character, which must be this one.
    mutating func take(_ character: Unicode.Scalar) throws(ScramFault) {
        guard rest.first == UInt8(ascii: character) else {
            throw .malformed("Comma expected, but found character \(Self.shown(rest.first)).")
        }
        rest.removeFirst()
    }

    /// The value of the attribute that must come next.
    mutating func value(of name: Unicode.Scalar) throws(ScramFault) -> ArraySlice<UInt8> {
        guard rest.first == UInt8(ascii: name) else {
            throw .malformed(
                "Expected attribute \"\(name)\" but found \(Self.shown(rest.first)).")
        }
        return try attribute().value
    }

    /// Whatever attribute comes next.
    mutating func attribute() throws(ScramFault) -> (name: UInt8, value: ArraySlice<UInt8>) {
        guard let name = rest.first, Self.isLetter(name) else {
            throw .malformed(
                "Attribute expected, but found invalid character \(Self.shown(rest.first)).")
        }
        rest.removeFirst()
        guard rest.first == UInt8(ascii: "=") else {
            throw .malformed("Expected character \"=\" for attribute \(Self.shown(name)).")
        }
        rest.removeFirst()
        let value = rest.prefix { $0 != UInt8(ascii: ",") }
        rest = rest[value.endIndex...]
        if !rest.isEmpty {
            rest.removeFirst()
            guard !rest.isEmpty else { throw .malformed("Attribute expected after a comma.") }
        }
        return (name, value)
    }

    /// Reads optional extensions up to the end; they may be ignored (RFC 5802, section 5.1).
    mutating func skipExtensions() throws(ScramFault) {
        while !isAtEnd { _ = try attribute() }
    }

    /// RFC 5802's `printable`: visible ASCII but no comma.
    static func isNonce(_ bytes: ArraySlice<UInt8>) -> Bool {
        !bytes.isEmpty && bytes.allSatisfy { (0x21...0x7e).contains($0) && $0 != 0x2c }
    }

    /// A positive number that fits PostgreSQL's `int`, digits only.
    static func decimal(_ digits: some Collection<UInt8>) -> Int? {
        guard !digits.isEmpty, digits.count <= 10 else { return nil }
        var number = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            number = number * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return number > 0 && number <= Int(Int32.max) ? number : nil
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    // As PostgreSQL's sanitize_char: what a peer sent goes into a message only when it is harmless.
    static func shown(_ byte: UInt8?) -> String {
        guard let byte else { return "the end of the message" }
        guard (0x21...0x7e).contains(byte) else {
            let digits = String(byte, radix: 16)
            return "0x" + (digits.count < 2 ? "0" : "") + digits
        }
        return "\"\(Unicode.Scalar(byte))\""
    }
}
