// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// One message of a unit, parsed once; ranges count from the message's first byte.
///
/// Plain bytes, so that looking at a message counts no references; the statement that a Parse
/// defines is in `UnitMessages.text`.
struct UnitMessage {
    enum Content {
        case query(text: Range<Int>)
        /// `text` is the place of the statement in `UnitMessages`.
        case parse(name: Range<Int>, hash: UInt64, text: Int)
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

    var isParse: Bool {
        if case .parse = content { return true }
        return false
    }
}

extension Range<Int> {
    /// The same range counted from another place.
    func shifted(by offset: Int) -> Range<Int> { lowerBound + offset..<upperBound + offset }
}
