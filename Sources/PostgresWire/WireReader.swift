// SPDX-License-Identifier: Apache-2.0

/// Why bytes are not a message of the protocol.
package enum WireError: Error, Equatable, Sendable {
    /// A field runs past the end of its message.
    case truncated
    /// A string without its terminating zero.
    case unterminated
    /// Bytes after the last field.
    case trailing
    /// A value that the manual does not allow there.
    case invalid
}

/// Reads big-endian fields of one message body; throws rather than reading past its end.
package struct WireReader: ~Escapable, ~Copyable {
    private let bytes: RawSpan
    package private(set) var offset = 0

    @_lifetime(copy bytes)
    package init(_ bytes: RawSpan) { self.bytes = bytes }

    package var remaining: Int { bytes.byteCount - offset }

    package mutating func byte() throws(WireError) -> UInt8 {
        guard remaining >= 1 else { throw .truncated }
        defer { offset += 1 }
        return unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }

    package mutating func int16() throws(WireError) -> Int16 {
        guard remaining >= 2 else { throw .truncated }
        defer { offset += 2 }
        return unsafe Int16(
            bigEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Int16.self))
    }

    package mutating func int32() throws(WireError) -> Int32 {
        guard remaining >= 4 else { throw .truncated }
        defer { offset += 4 }
        return unsafe Int32(
            bigEndian: bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: Int32.self))
    }

    /// Skips a zero-terminated string and says where it was, without the zero.
    package mutating func terminated() throws(WireError) -> Range<Int> {
        let start = offset
        while offset < bytes.byteCount {
            if unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self) == 0 {
                offset += 1
                return start..<(offset - 1)
            }
            offset += 1
        }
        throw .unterminated
    }

    package mutating func skip(_ count: Int) throws(WireError) {
        guard count >= 0, remaining >= count else { throw .truncated }
        offset += count
    }
}

extension RawSpan {
    /// The bytes of a range as an array of its own.
    package func copy(_ range: Range<Int>) -> [UInt8] {
        unsafe extracting(range).withUnsafeBytes { unsafe [UInt8]($0) }
    }

    /// The bytes of a range as text; bytes that are not UTF-8 are replaced.
    package func text(_ range: Range<Int>) -> String {
        String(decoding: copy(range), as: UTF8.self)
    }

    /// Whether a range holds exactly these bytes.
    package func equals(_ other: [UInt8], in range: Range<Int>) -> Bool {
        guard range.count == other.count else { return false }
        precondition(range.upperBound <= byteCount)
        let others = other.rawSpan
        var index = 0
        while index + 8 <= others.byteCount {
            let word = unsafe unsafeLoadUnaligned(
                fromUncheckedByteOffset: range.lowerBound + index, as: UInt64.self)
            let otherWord = unsafe others.unsafeLoadUnaligned(
                fromUncheckedByteOffset: index, as: UInt64.self)
            if word != otherWord { return false }
            index += 8
        }
        while index < others.byteCount {
            if byte(at: range.lowerBound + index) != others.byte(at: index) { return false }
            index += 1
        }
        return true
    }

    package func byte(at offset: Int) -> UInt8 {
        precondition(offset < byteCount)
        return unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
    }
}

extension Array<UInt8> {
    /// The array's own bytes.
    package var rawSpan: RawSpan {
        @_lifetime(borrow self)
        borrowing get {
            // A byte has no padding that could be read before it was written.
            unsafe span.bytes
        }
    }
}
