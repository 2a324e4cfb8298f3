// SPDX-License-Identifier: Apache-2.0

/// Why a startup packet is refused; with the words and the SQLSTATE that PostgreSQL has for it.
package enum StartupFault: Error, Equatable, Sendable {
    case invalidLength(UInt32)
    case invalidCancelRequest
    case unsupportedProtocol(major: UInt16, minor: UInt16)
    case missingTerminator
    case missingUser
    /// A user, database or parameter name that is not UTF-8: who it means cannot be known.
    case invalidEncoding
    case invalidReplication(String)

    /// The SQLSTATE of the error response before the connection is closed.
    package var sqlState: SQLState {
        switch self {
        case .invalidLength, .invalidCancelRequest, .missingTerminator: .protocolViolation
        case .unsupportedProtocol: .featureNotSupported
        case .missingUser: .invalidAuthorizationSpecification
        case .invalidEncoding: .characterNotInRepertoire
        case .invalidReplication: .invalidParameterValue
        }
    }

    /// The text of that response.
    package var message: String {
        switch self {
        case .invalidLength: "invalid length of startup packet"
        case .invalidCancelRequest: "invalid length of cancel request packet"
        case .unsupportedProtocol(let major, let minor):
            "unsupported frontend protocol \(major).\(minor): server supports 3.0 to "
                + "3.\(StartupMessage.newestMinorVersion)"
        case .missingTerminator:
            "invalid startup packet layout: expected terminator as last byte"
        case .missingUser: "no PostgreSQL user name specified in startup packet"
        case .invalidEncoding: "invalid byte sequence for encoding \"UTF8\" in startup packet"
        case .invalidReplication(let value):
            "invalid value for parameter \"replication\": \"\(value)\""
        }
    }
}

/// The first packet of a connection: the only kind without a type byte.
package enum StartupPacket: Equatable, Sendable {
    case sslRequest
    case gssEncRequest
    case cancelRequest(processID: UInt32, secret: [UInt8])
    case startup(StartupMessage)

    /// Length, the length itself included, of the shortest packet that says anything.
    package static let minimumLength = 8
    /// PostgreSQL's MAX_STARTUP_PACKET_LENGTH.
    package static let maximumLength = 10_000

    private static let sslCode: UInt32 = 1234 << 16 | 5679
    private static let gssCode: UInt32 = 1234 << 16 | 5680
    private static let cancelCode: UInt32 = 1234 << 16 | 5678

    /// Length of the packet at the start of these bytes, length field included; nil: not known yet.
    ///
    /// Rejects an invalid length as soon as it is read, so that nobody waits for the rest.
    package static func length(
        of bytes: RawSpan, limit: Int = maximumLength
    ) throws(StartupFault) -> Int? {
        guard bytes.byteCount >= 4 else { return nil }
        var reader = StartupReader(bytes)
        let length = reader.word()
        guard length >= UInt32(minimumLength), Int(length) <= limit else {
            throw .invalidLength(length)
        }
        return Int(length)
    }

    /// Parses what follows the length of a packet that is there as a whole.
    package init(body: RawSpan) throws(StartupFault) {
        guard body.byteCount >= 4 else { throw .invalidLength(UInt32(body.byteCount) + 4) }
        var reader = StartupReader(body)
        let code = reader.word()
        switch code {
        case Self.sslCode:
            guard reader.isAtEnd else { throw .invalidLength(UInt32(body.byteCount) + 4) }
            self = .sslRequest
        case Self.gssCode:
            guard reader.isAtEnd else { throw .invalidLength(UInt32(body.byteCount) + 4) }
            self = .gssEncRequest
        case Self.cancelCode:
            // Protocol 3.0 has four bytes of secret, 3.2 up to 256.
            guard (9...264).contains(body.byteCount) else { throw .invalidCancelRequest }
            let processID = reader.word()
            self = .cancelRequest(processID: processID, secret: reader.rest())
        default:
            let (major, minor) = (UInt16(code >> 16), UInt16(truncatingIfNeeded: code))
            guard major == 3 else { throw .unsupportedProtocol(major: major, minor: minor) }
            self = .startup(try StartupMessage(minorVersion: minor, reader: &reader))
        }
    }

    /// Appends the packet as it goes over the wire, with its length.
    package func append(to queue: inout ByteQueue) {
        let start = queue.count
        queue.append(int32: 0)
        switch self {
        case .sslRequest:
            queue.append(int32: Int32(bitPattern: Self.sslCode))
        case .gssEncRequest:
            queue.append(int32: Int32(bitPattern: Self.gssCode))
        case .cancelRequest(let processID, let secret):
            queue.append(int32: Int32(bitPattern: Self.cancelCode))
            queue.append(int32: Int32(bitPattern: processID))
            queue.append(secret)
        case .startup(let message):
            queue.append(int32: 3 << 16 | Int32(message.minorVersion))
            for parameter in message.parameters {
                precondition(!parameter.name.isEmpty, "a nameless parameter ends the packet")
                precondition(!parameter.name.utf8.contains(0) && !parameter.value.contains(0))
                queue.append(Array(parameter.name.utf8) + [0] + parameter.value + [0])
            }
            queue.append(byte: 0)
        }
        queue.set(int32: Int32(queue.count - start), at: start)
    }
}

/// `StartupMessage`: who wants to work in which database, and with which settings.
package struct StartupMessage: Equatable, Sendable {
    /// A name and what it is to be; values are in whatever encoding the client has.
    package struct Parameter: Equatable, Sendable {
        /// The settings in the client's spelling; their names are case-insensitive.
        package var name: String
        /// Anything but zeros.
        package var value: [UInt8]

        /// A value in the client's encoding.
        package init(_ name: String, _ value: [UInt8]) {
            self.name = name
            self.value = value
        }

        /// A value in UTF-8.
        package init(_ name: String, _ value: String) {
            self.init(name, Array(value.utf8))
        }
    }

    /// The replication mode that the client requests.
    package enum Replication: Equatable, Sendable {
        case none
        /// Physical: connected to no database.
        case physical
        /// Logical: replication commands and SQL in one database.
        case database
    }

    /// Protocol 3.2 is the newest that martlet speaks; 3.1 was never used.
    package static let newestMinorVersion: UInt16 = 2
    /// Names longer than that are cut, as PostgreSQL does (NAMEDATALEN - 1).
    package static let maximumNameLength = 63

    /// The minor version that the client requested; `agreedMinorVersion` is what is spoken.
    package let minorVersion: UInt16
    /// Everything in the order of the packet, duplicates included.
    package let parameters: [Parameter]
    /// Never empty, cut to the length of a name.
    package let user: String
    /// Empty for physical replication.
    package let database: String
    /// Whether the client wants a WAL sender, and of what kind.
    package let replication: Replication

    /// - Throws: as for a packet that says the same.
    package init(
        minorVersion: UInt16 = 0, parameters: [Parameter]
    ) throws(StartupFault) {
        self.minorVersion = minorVersion
        self.parameters = parameters
        let user = try Self.name("user", in: parameters)
        guard !user.isEmpty else { throw .missingUser }
        self.user = user
        replication = try Self.replication(in: parameters)
        let database = try Self.name("database", in: parameters)
        self.database = replication == .physical ? "" : database.isEmpty ? user : database
    }

    fileprivate init(
        minorVersion: UInt16, reader: inout StartupReader
    ) throws(StartupFault) {
        var parameters: [Parameter] = []
        while true {
            guard let name = reader.string() else { throw .missingTerminator }
            if name.isEmpty { break }
            guard let value = reader.string() else { throw .missingTerminator }
            guard let text = String(validating: name, as: UTF8.self) else {
                throw .invalidEncoding
            }
            parameters.append(Parameter(text, value))
        }
        guard reader.isAtEnd else { throw .missingTerminator }
        try self.init(minorVersion: minorVersion, parameters: parameters)
    }

    /// The version that both sides speak from here on.
    package var agreedMinorVersion: UInt16 { min(minorVersion, Self.newestMinorVersion) }

    /// Protocol options of the client, none of which we know.
    package var unknownProtocolOptions: [String] {
        parameters.map(\.name).filter { $0.hasPrefix("_pq_.") }
    }

    /// Whether `NegotiateProtocolVersion` is owed.
    package var needsNegotiation: Bool {
        minorVersion > Self.newestMinorVersion || !unknownProtocolOptions.isEmpty
    }

    /// The raw `options`, for `StartupOptions`; the last one counts.
    package var options: [UInt8]? { value(of: "options") }

    /// The last value of a parameter.
    package func value(of name: String) -> [UInt8]? {
        parameters.last { $0.name == name }?.value
    }

    /// Settings by name, in the order in which they take effect: a later one overrides.
    ///
    /// Those of `options` are not among them; they come before all of these.
    package var settings: [Parameter] {
        parameters.filter {
            switch $0.name {
            case "user", "database", "options", "replication": false
            default: !$0.name.hasPrefix("_pq_.")
            }
        }
    }

    /// Appends `NegotiateProtocolVersion`: what we speak, and which options we do not know.
    package func appendNegotiation(to queue: inout ByteQueue) {
        let start = queue.count + 1
        queue.append(byte: UInt8(ascii: "v"))
        queue.append(int32: 0)
        // The whole version, as PostgreSQL sends it and libpq reads it, and not the minor alone.
        queue.append(int32: 3 << 16 | Int32(agreedMinorVersion))
        let unknown = unknownProtocolOptions
        queue.append(int32: Int32(unknown.count))
        for name in unknown { queue.append(Array(name.utf8) + [0]) }
        queue.set(int32: Int32(queue.count - start), at: start)
    }

    // MARK: Parameters with a meaning

    private static func name(
        _ key: String, in parameters: [Parameter]
    ) throws(StartupFault) -> String {
        guard let value = parameters.last(where: { $0.name == key })?.value else { return "" }
        guard let text = String(validating: value, as: UTF8.self) else { throw .invalidEncoding }
        guard value.count > maximumNameLength else { return text }
        // Cut between characters, as the server cut the name when it was created.
        var end = maximumNameLength
        while value[end] & 0xc0 == 0x80 { end -= 1 }
        return String(decoding: value[..<end], as: UTF8.self)
    }

    private static func replication(
        in parameters: [Parameter]
    ) throws(StartupFault) -> Replication {
        // Two flags, as in PostgreSQL: "database" and then "true" is still the database.
        var (isOn, isLogical) = (false, false)
        for parameter in parameters where parameter.name == "replication" {
            if parameter.value.elementsEqual("database".utf8) {
                (isOn, isLogical) = (true, true)
            } else if let value = boolean(parameter.value) {
                isOn = value
            } else {
                throw .invalidReplication(String(decoding: parameter.value, as: UTF8.self))
            }
        }
        return isOn ? isLogical ? .database : .physical : .none
    }

    /// Reads a Boolean as PostgreSQL's `parse_bool` does: unique prefixes, in any case.
    private static func boolean(_ value: [UInt8]) -> Bool? {
        let text = String(decoding: value, as: UTF8.self).lowercased()
        if text.isEmpty { return nil }
        if text == "1" || "true".hasPrefix(text) || "yes".hasPrefix(text) || text == "on" {
            return true
        }
        if text == "0" || "false".hasPrefix(text) || "no".hasPrefix(text)
            || (text.count >= 2 && "off".hasPrefix(text))
        {
            return false
        }
        return nil
    }
}

/// Reads the fields of a startup packet; each read is checked once.
private struct StartupReader: ~Escapable {
    private let bytes: RawSpan
    private var offset = 0

    @_lifetime(copy bytes)
    init(_ bytes: RawSpan) { self.bytes = bytes }

    var isAtEnd: Bool { offset == bytes.byteCount }

    /// Four bytes, which the caller knows to be there.
    @_lifetime(self: copy self)
    mutating func word() -> UInt32 {
        var word: UInt32 = 0
        for _ in 0..<4 { word = word << 8 | UInt32(byte()) }
        return word
    }

    /// Bytes up to a zero, which is skipped; nil where there is none.
    @_lifetime(self: copy self)
    mutating func string() -> [UInt8]? {
        var string: [UInt8] = []
        while offset < bytes.byteCount {
            let byte = byte()
            if byte == 0 { return string }
            string.append(byte)
        }
        return nil
    }

    @_lifetime(self: copy self)
    mutating func rest() -> [UInt8] {
        var rest: [UInt8] = []
        while !isAtEnd { rest.append(byte()) }
        return rest
    }

    @_lifetime(self: copy self)
    private mutating func byte() -> UInt8 {
        defer { offset += 1 }
        return unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
    }
}
