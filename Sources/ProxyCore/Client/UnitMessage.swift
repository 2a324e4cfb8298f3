// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// One message of a unit, parsed once; ranges count from the message's first byte.
struct UnitMessage {
    enum Content {
        case query(text: Range<Int>)
        case parse(name: Range<Int>, hash: UInt64, PreparedText)
        case bind(portal: Range<Int>, statement: Range<Int>, hash: UInt64)
        case describeStatement(name: Range<Int>, hash: UInt64)
        case describePortal(name: Range<Int>)
        case closeStatement(name: Range<Int>, hash: UInt64)
        case closePortal(name: Range<Int>)
        case execute(portal: Range<Int>)
        case functionCall
        case sync
        case flush
    }

    let content: Content
    /// Bytes of the message, its header included.
    let byteCount: Int

    /// The statement that it defines.
    var definition: PreparedText? {
        if case .parse(_, _, let text) = content { return text }
        return nil
    }

    /// The same message, defining the same name as another text.
    func redefining(as text: PreparedText) -> UnitMessage {
        guard case .parse(let name, let hash, _) = content else { return self }
        return UnitMessage(
            content: .parse(name: name, hash: hash, text), byteCount: byteCount)
    }
}

extension Range<Int> {
    /// The same range counted from another place.
    func shifted(by offset: Int) -> Range<Int> { lowerBound + offset..<upperBound + offset }
}
