// SPDX-License-Identifier: Apache-2.0

/// The five bytes before every message but the first: a type and a length that counts itself.
///
/// Manual: "Frontend/Backend Protocol", "Message Formats".
package struct MessageHeader: Equatable, Sendable {
    package static let size = 5

    package let kind: UInt8
    /// Bytes after the header.
    package let bodyCount: Int

    package var totalCount: Int { Self.size + bodyCount }

    /// The header at an offset, or nil while it is not all there; throws for a length below four.
    package init?(in bytes: RawSpan, at offset: Int) throws(WireError) {
        guard bytes.byteCount - offset >= Self.size else { return nil }
        kind = bytes.byte(at: offset)
        let length = unsafe Int32(
            bigEndian: bytes.unsafeLoadUnaligned(
                fromUncheckedByteOffset: offset + 1, as: Int32.self))
        guard length >= 4 else { throw .invalid }
        bodyCount = Int(length) - 4
    }

    /// The end of the whole messages of one kind that follow each other from an offset.
    ///
    /// One that is longer than `maximumBody`, or not all there, ends the run, and so does anything
    /// that is not a header. A large result is millions of short messages; this loop is all that is
    /// done for each of them, and so it is here, where it is compiled as one piece.
    package static func endOfRun(
        of kind: UInt8, in bytes: RawSpan, from offset: Int, maximumBody: Int
    ) -> Int {
        var end = offset
        while let header = try? MessageHeader(in: bytes, at: end), header.kind == kind,
            header.bodyCount <= maximumBody, end + header.totalCount <= bytes.byteCount {
            end += header.totalCount
        }
        return end
    }
}

/// Types of messages that a client sends.
package enum FrontendKind {
    package static let query = UInt8(ascii: "Q")
    package static let parse = UInt8(ascii: "P")
    package static let bind = UInt8(ascii: "B")
    package static let describe = UInt8(ascii: "D")
    package static let execute = UInt8(ascii: "E")
    package static let close = UInt8(ascii: "C")
    package static let sync = UInt8(ascii: "S")
    package static let flush = UInt8(ascii: "H")
    package static let functionCall = UInt8(ascii: "F")
    package static let copyData = UInt8(ascii: "d")
    package static let copyDone = UInt8(ascii: "c")
    package static let copyFail = UInt8(ascii: "f")
    package static let terminate = UInt8(ascii: "X")
    /// PasswordMessage, SASLInitialResponse, SASLResponse, GSSResponse.
    package static let password = UInt8(ascii: "p")
}

/// Types of messages that a server sends.
package enum BackendKind {
    package static let authentication = UInt8(ascii: "R")
    package static let backendKeyData = UInt8(ascii: "K")
    package static let parameterStatus = UInt8(ascii: "S")
    package static let readyForQuery = UInt8(ascii: "Z")
    package static let errorResponse = UInt8(ascii: "E")
    package static let noticeResponse = UInt8(ascii: "N")
    package static let notificationResponse = UInt8(ascii: "A")
    package static let negotiateProtocolVersion = UInt8(ascii: "v")
    package static let parseComplete = UInt8(ascii: "1")
    package static let bindComplete = UInt8(ascii: "2")
    package static let closeComplete = UInt8(ascii: "3")
    package static let parameterDescription = UInt8(ascii: "t")
    package static let rowDescription = UInt8(ascii: "T")
    package static let noData = UInt8(ascii: "n")
    package static let dataRow = UInt8(ascii: "D")
    package static let commandComplete = UInt8(ascii: "C")
    package static let emptyQueryResponse = UInt8(ascii: "I")
    package static let portalSuspended = UInt8(ascii: "s")
    package static let functionCallResponse = UInt8(ascii: "V")
    package static let copyInResponse = UInt8(ascii: "G")
    package static let copyOutResponse = UInt8(ascii: "H")
    package static let copyData = UInt8(ascii: "d")
    package static let copyDone = UInt8(ascii: "c")
}
