// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// What a server connection has been sent and what it owes for that: the only code that writes to
/// a server connection.
///
/// Writing a message and owing its reply is one act here, so no message can be sent without its
/// entry in `OutstandingReplies` and no entry can be made without its message.
struct ServerRequests: ~Copyable {
    private var output: ByteQueue
    private(set) var replies = OutstandingReplies()

    init(bytes: BytePool) { output = ByteQueue(pool: bytes) }

    // MARK: Bytes to send

    /// Bytes that wait to be sent.
    var pendingCount: Int { output.count }

    /// Lends the bytes that wait, and forgets as many as the body says were sent.
    mutating func send(_ body: (RawSpan) -> Int) { output.consume(body(output.unread)) }

    /// The connection belongs to another shard now, with that shard's storage.
    mutating func moved(to bytes: BytePool) { output = ByteQueue(pool: bytes) }

    // MARK: Replies

    /// A message arrived that is part of a reply (`OutstandingReplies.received`).
    mutating func received(_ kind: UInt8) -> OutstandingReplies.Verdict { replies.received(kind) }

    /// A ReadyForQuery arrived; returns the reply that it completes, or nil when none was owed.
    mutating func ready(_ status: TransactionStatus) -> OwedReply? { replies.ready(status) }

    /// The ReadyForQuery that ends a login arrived.
    mutating func loggedIn(_ status: TransactionStatus) { replies.loggedIn(status) }

    /// The server reported an error; `skipped` sees each entry that the server skips.
    mutating func failed(_ skipped: (OwedReply) -> Void) { replies.failed(skipped) }

    /// The server went into COPY IN; returns true when a Sync that was sent is ignored.
    mutating func copyInStarted() -> Bool { replies.copyInStarted() }

    /// Nobody waits for the replies any more; the server still sends them.
    mutating func clientLeft() { replies.clientLeft() }

    /// The turn of a reply that martlet makes itself has come.
    mutating func nextFake() -> OwedReply.Kind? { replies.nextFake() }

    // MARK: Messages of the client, as they came

    /// Forwards a whole message of the client's that martlet need not rewrite.
    mutating func forward(_ message: RawSpan, owing kind: OwedReply.Kind?) {
        output.append(message)
        if let kind { replies.sent(OwedReply(kind, .forward)) }
    }

    /// Forwards bytes whose message is accounted for already: the rest of a long message, COPY
    /// data, a replication stream.
    mutating func relay(_ bytes: RawSpan) { output.append(bytes) }

    /// Forwards a whole CopyDone or CopyFail.
    mutating func forwardEndOfCopy(_ message: RawSpan) {
        output.append(message)
        replies.copyInEnded()
    }

    /// Forwards a Describe of a portal.
    mutating func forwardDescribe(_ message: RawSpan, statement: Int, nameHash: UInt64) {
        output.append(message)
        replies.sent(OwedReply(.describe, .forward, statement: statement, nameHash: nameHash))
    }

    /// Forwards a Bind with the name that the server knows the statement by.
    ///
    /// - Parameters:
    ///   - portal: the portal's name with its zero, as in the client's message.
    ///   - rest: what follows the statement's name and its zero.
    mutating func bind(portal: RawSpan, statement: [UInt8], rest: RawSpan) {
        output.message(FrontendKind.bind) { body in
            body.append(portal)
            body.append(terminated: statement)
            body.append(rest)
        }
        replies.sent(OwedReply(.bind, .forward))
    }

    /// Forwards the first part of a long Bind with the name that the server knows the statement by.
    ///
    /// - Parameters:
    ///   - bodyCount: bytes of the body as the server gets it.
    ///   - rest: what has come of the message after the statement's name, from its zero on.
    mutating func bindBeginning(
        bodyCount: Int, portal: RawSpan, statement: [UInt8], rest: RawSpan
    ) {
        output.append(byte: FrontendKind.bind)
        output.append(int32: Int32(4 + bodyCount))
        output.append(portal)
        output.append(statement)
        output.append(rest)
        replies.sent(OwedReply(.bind, .forward))
    }

    // MARK: Prepared statements

    /// Parses a text under a name.
    ///
    /// - Parameter definition: text, zero and parameter types, as in a Parse.
    mutating func parse(
        name: [UInt8], definition: [UInt8], _ disposition: OwedReply.Disposition,
        statement: Int = -1, nameHash: UInt64 = 0
    ) {
        Parse.write(name: name, definition: definition, to: &output)
        replies.sent(
            OwedReply(.parse, disposition, statement: statement, nameHash: nameHash))
    }

    /// Owes the client a ParseComplete for a statement that the server has already.
    mutating func fakeParse(nameHash: UInt64) {
        replies.sent(OwedReply(.parse, .fake, nameHash: nameHash))
    }

    /// Describes a prepared statement.
    ///
    /// - Parameter statement: its index where the columns are to be remembered, otherwise -1.
    mutating func describe(
        statementNamed name: [UInt8], _ disposition: OwedReply.Disposition, statement: Int = -1,
        nameHash: UInt64 = 0
    ) {
        Target.write(FrontendKind.describe, statement: name, to: &output)
        replies.sent(
            OwedReply(.describe, disposition, statement: statement, nameHash: nameHash))
    }

    /// Owes the client the description of a statement without parameters and rows.
    mutating func fakeDescribe() { replies.sent(OwedReply(.describe, .fake)) }

    /// Closes a prepared statement of martlet's.
    mutating func close(statementNamed name: [UInt8]) {
        Target.write(FrontendKind.close, statement: name, to: &output)
        replies.sent(OwedReply(.close, .skip))
    }

    /// Owes the client a CloseComplete for a name that only martlet knows.
    mutating func fakeClose(nameHash: UInt64) {
        replies.sent(OwedReply(.close, .fake, nameHash: nameHash))
    }

    // MARK: Messages of martlet's own

    /// Runs a statement by the extended protocol and without a Sync, by a portal that is closed
    /// again unless it is the unnamed one.
    mutating func run(
        statement text: [UInt8], portal: [UInt8] = [], reply: OwedReply = OwedReply(.execute, .skip)
    ) {
        parse(name: [], definition: text + [0, 0, 0], .skip)
        output.message(FrontendKind.bind) { body in
            body.append(terminated: portal)
            for _ in 0..<7 { body.append(byte: 0) }  // an empty name, three empty lists
        }
        replies.sent(OwedReply(.bind, .skip))
        execute(portal: portal, reply)
        if !portal.isEmpty { close(portal: portal) }
    }

    /// Executes a portal that does not exist, so that the server fails and skips to the Sync.
    mutating func executeFailing(_ disposition: OwedReply.Disposition) {
        execute(portal: Array("martlet: no such portal".utf8), OwedReply(.execute, disposition))
    }

    private mutating func execute(portal: [UInt8], _ reply: OwedReply) {
        output.message(FrontendKind.execute) { body in
            body.append(terminated: portal)
            body.append(int32: 0)
        }
        replies.sent(reply)
    }

    /// Closes a portal of martlet's.
    mutating func close(portal: [UInt8]) {
        output.message(FrontendKind.close) { body in
            body.append(byte: UInt8(ascii: "P"))
            body.append(terminated: portal)
        }
        replies.sent(OwedReply(.close, .skip))
    }

    /// Runs a query of martlet's by the simple protocol.
    mutating func query(_ text: String) {
        Query.write(text, to: &output)
        replies.sent(OwedReply(.query, .skip))
    }

    /// Ends a pipeline: the server leaves an implicit transaction and stops skipping.
    mutating func sync(_ disposition: OwedReply.Disposition) {
        output.message(FrontendKind.sync)
        replies.sent(OwedReply(.sync, disposition))
    }

    /// Asks for what is owed so far; has no reply of its own.
    mutating func flush() { output.message(FrontendKind.flush) }

    /// Ends a COPY FROM STDIN with an error.
    mutating func failCopy(reason: String) {
        output.message(FrontendKind.copyFail) { $0.append(terminated: reason) }
        replies.copyInEnded()
    }

    // MARK: The beginning and the end of a connection

    /// Sends the startup packet.
    mutating func startUp(_ message: StartupMessage) {
        StartupPacket.startup(message).append(to: &output)
    }

    /// Lets the authentication exchange write its response.
    mutating func authenticate<Result, Failure: Error>(
        _ body: (inout ByteQueue) throws(Failure) -> Result
    ) throws(Failure) -> Result {
        try body(&output)
    }

    /// Says goodbye, as libpq does.
    mutating func terminate() { output.message(FrontendKind.terminate) }
}
