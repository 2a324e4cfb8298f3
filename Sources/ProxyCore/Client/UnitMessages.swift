// SPDX-License-Identifier: Apache-2.0

internal import StatementClassifier

/// The messages of a unit that were looked at: how far they reach in the client's inbound bytes, how
/// far they have been sent, and how the unit ends.
///
///     | sent        | gathered and not sent | not looked at yet ...   (inbound)
///     ^ 0           ^ sentBytes             ^ byteCount
package struct UnitMessages {
    /// How the unit ends, as far as it has come.
    package enum End: Equatable {
        /// Its last message has not been seen.
        case open
        /// It ends in a Flush and executes nothing: martlet sends a Sync in the Flush's place.
        case flush
        /// It ends in a Sync, a Query or a FunctionCall.
        case complete
    }

    /// One statement of the simple protocol and what it commands.
    struct SingleStatement {
        /// The text's place in the inbound bytes.
        let text: Range<Int>
        let classification: Classification

        var control: TransactionControl { classification.control }
        var command: Command { classification.command }
    }

    /// A statement, and the columns that its client expects of it.
    struct StatementUse {
        var text: PreparedText
        let columns: ResultColumns
    }

    private(set) var list: [UnitMessage] = []
    /// Bytes at the front of the inbound ones that belong to the unit and were looked at.
    package private(set) var byteCount = 0
    package private(set) var end = End.open
    /// How many messages were sent to the server, and how many bytes these are.
    private(set) var sentCount = 0
    package private(set) var sentBytes = 0
    /// The statements that Parse messages define, and how many were dropped before them.
    private var texts: [PreparedText] = []
    private var droppedTexts = 0
    /// Hashes of the client's names for the statements that Parse messages define.
    private(set) var parsedNames: [UInt64] = []
    /// Statements that are used and not defined here, as far as they had come before the unit was
    /// sent.
    private(set) var uses: [StatementUse] = []
    /// One simple query of exactly one statement, which martlet may answer itself.
    private(set) var single: SingleStatement?
    /// The name that the one statement, an EXECUTE, executes.
    private(set) var executedName: String?

    package init() {}

    package var isComplete: Bool { end != .open }
    var definesStatements: Bool { !parsedNames.isEmpty }

    /// The statement at a place that a Parse message names.
    func text(_ place: Int) -> PreparedText { texts[place - droppedTexts] }

    /// What a name stands for after the messages before `count`; nil where none of them defines it.
    func definition(named hash: UInt64, before count: Int) -> PreparedText? {
        if parsedNames.isEmpty { return nil }
        for message in list[..<count].reversed() {
            if case .parse(_, hash, let place) = message.content { return text(place) }
        }
        return nil
    }

    // MARK: Gathering

    /// The next message defines a statement; returns its place.
    mutating func defines(_ text: PreparedText) -> Int {
        texts.append(text)
        return droppedTexts + texts.count - 1
    }

    /// A message was looked at.
    mutating func append(_ message: UnitMessage) {
        list.append(message)
        byteCount += message.byteCount
        switch message.content {
        case .parse(_, let hash, _): parsedNames.append(hash)
        case .query, .functionCall, .sync: end = .complete
        default: break
        }
    }

    /// The unit is one simple query of one command.
    mutating func found(_ single: SingleStatement, executing name: String?) {
        self.single = single
        executedName = name
    }

    /// A statement is used that the unit does not define.
    mutating func found(use: StatementUse) { uses.append(use) }

    /// A Flush ends the unit, because nothing before it is executed.
    mutating func endsInFlush() { end = .flush }

    /// The server ignored the Sync that was sent: the client sends another.
    mutating func syncIgnored() { end = .open }

    /// The last message was sent as it came, or skipped.
    mutating func completed() { end = .complete }

    // MARK: Sending

    /// The next message to be sent and where it begins; nil when all were.
    var next: (UnitMessage, offset: Int)? {
        sentCount < list.count ? (list[sentCount], sentBytes) : nil
    }

    /// The next message was sent.
    mutating func sentNext() {
        sentBytes += list[sentCount].byteCount
        sentCount += 1
    }

    /// The messages will be sent again.
    mutating func rewind() {
        sentCount = 0
        sentBytes = 0
    }

    /// The statements that are defined are to be analysed again.
    mutating func replaceDefinedTexts(_ body: (PreparedText) -> PreparedText) {
        texts = texts.map(body)
    }

    /// The statements that are used and not defined here are to be analysed again.
    mutating func replaceUsedTexts(_ body: (PreparedText) -> PreparedText) {
        for index in uses.indices { uses[index].text = body(uses[index].text) }
    }

    /// What was sent is dropped; returns how many inbound bytes that are.
    mutating func dropSent() -> Int {
        let dropped = sentBytes
        if sentCount == list.count {
            forget()
            return dropped
        }
        let parses = list[..<sentCount].count(where: \.isParse)
        list.removeFirst(sentCount)
        parsedNames.removeFirst(parses)
        texts.removeFirst(parses)
        droppedTexts += parses
        byteCount -= dropped
        rewind()
        single = nil
        return dropped
    }

    /// What was looked at is dropped, whether a server has it or not; returns how many inbound bytes
    /// that are.
    mutating func dropAll() -> Int {
        let dropped = byteCount
        forget()
        return dropped
    }

    /// What was looked at is not part of the unit after all.
    mutating func forget() {
        if !list.isEmpty { list.removeAll(keepingCapacity: true) }
        if !parsedNames.isEmpty { parsedNames.removeAll(keepingCapacity: true) }
        if !texts.isEmpty { texts.removeAll(keepingCapacity: true) }
        droppedTexts = 0
        byteCount = 0
        rewind()
        single = nil
    }

    /// A COPY has started: what was taken for the next messages of the unit is for that.
    mutating func copyStarted() {
        forget()
        if !uses.isEmpty { uses.removeAll(keepingCapacity: true) }
    }

    // MARK: Storage

    /// The next unit begins; arrays keep their room.
    mutating func reset() {
        forget()
        if !uses.isEmpty { uses.removeAll(keepingCapacity: true) }
        end = .open
        executedName = nil
    }

    /// The arrays have far more room than units usually need.
    var isLarge: Bool { max(list.capacity, parsedNames.capacity, texts.capacity, uses.capacity) > 256 }
}
