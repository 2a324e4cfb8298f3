// SPDX-License-Identifier: Apache-2.0

import ProxyCore

/// One back end as PostgreSQL would be: transaction status, prepared statements, portals, COPY, and
/// what it skips after an error.
///
/// What it makes of SQL is in `ModelServer+Statements`. A test may also play it by hand: a mute one
/// only listens, and says what it is told to `say`.
final class ModelServer {
    let node: ModelNode
    let name: String
    let processID: Int

    /// Its startup packet.
    private(set) var startup: [UInt8] = []
    /// Messages in the order of their arrival.
    private(set) var heard: [Message] = []
    /// Bytes on their way to martlet.
    var output: [UInt8] = []
    /// It says nothing of its own accord.
    var isMute = false
    /// At a statement that begins with this it dies: before it, with these last words, or after it
    /// and without any.
    var diesAt: (text: String, sqlState: String?)?
    /// What it says stays on its way.
    var isDelayed = false
    /// Its end of the socket closes when what it said is delivered.
    var isDying = false

    var status: Character = "I"
    /// What the transaction has written so far; the node's once it commits.
    var written: [String] = []
    var settings: [String: String] = [:]
    var hasTemporaryTable = false
    /// The settings at the beginning of the transaction.
    var settingsBefore: [String: String]?
    var prepared: [String: String] = [:]
    /// By PREPARE: the whole text of each.
    var sqlPrepared: [String: String] = [:]
    /// Names of statements whose result has had other columns since they were parsed.
    var stale: Set<String> = []
    /// The columns that statements had when they were parsed.
    private var analysed: [String: [String]] = [:]
    private var portals: [String: (text: String, sent: Int)] = [:]
    private var skipsUntilSync = false
    private var input: [UInt8] = []
    private var isStarted = false
    /// What it last said of whether it is a standby's.
    private var toldStandby = false
    /// A statement that runs until it is released or cancelled.
    private(set) var isBusy = false
    /// In COPY FROM STDIN: the rest of the Query's statements, or nil in the extended protocol.
    private var copyIn: (rest: [String]?, lines: [String])?

    init(node: ModelNode, name: String, processID: Int) {
        self.node = node
        self.name = name
        self.processID = processID
    }

    /// What it was sent but for the startup packet, as types: `PBDES`.
    var kinds: String { heard.kinds }

    func say(_ messages: Message...) { output += messages.bytes }

    /// Ends with a FATAL error, as at a shutdown, or without a word.
    func die(_ sqlState: String? = nil) {
        if let sqlState { say(.error(sqlState, "terminating connection", severity: "FATAL")) }
        isDying = true
    }

    /// Whether the last message it got is not whole.
    var isTorn: Bool { !input.isEmpty }

    // MARK: Messages

    func receive(_ bytes: [UInt8]) {
        input += bytes
        if !isStarted { startUp() }
        guard isStarted else { return }
        proceed()
    }

    private func startUp() {
        guard input.count >= 4 else { return }
        let length = input[..<4].reduce(0) { $0 << 8 | Int($1) }
        guard input.count >= length else { return }
        startup = Array(input[..<length])
        input.removeFirst(length)
        isStarted = true
        if let refusal = node.refusal {
            say(refusal)
            isDying = true
            return
        }
        if isMute { return }
        say(Message("R", Message.int32(0)))
        toldStandby = node.isStandby
        let standby = toldStandby ? "on" : "off"
        for (name, value) in [
            ("server_version", "17.0"), ("in_hot_standby", standby), ("client_encoding", "UTF8"),
            ("standard_conforming_strings", "on"), ("application_name", ""),
        ] {
            say(.parameter(name, value))
        }
        say(Message("K", Message.int32(processID) + Message.int32(processID ^ 0x5a5a)), .ready())
    }

    private func proceed() {
        while !isBusy, !isDying {
            guard let message = takeOne() else { return }
            heard.append(message)
            if !isMute { handle(message) }
        }
    }

    private func takeOne() -> Message? {
        guard input.count >= 5 else { return nil }
        let length = input[1..<5].reduce(0) { $0 << 8 | Int($1) }
        guard input.count > length else { return nil }
        var one = Array(input[...length])
        input.removeFirst(one.count)
        return Message.take(from: &one).first
    }

    private func handle(_ message: Message) {
        if let diesAt, "QP".contains(message.kind),
            message.strings().prefix(2).contains(where: { $0.hasPrefix(diesAt.text) }) {
            if diesAt.sqlState == nil {
                // Whether it did it before it died, nobody knows: it did.
                runAll(Self.split(message.strings()[0]))
                output.removeAll()
            }
            return die(diesAt.sqlState)
        }
        if copyIn != nil { return copy(message) }
        if skipsUntilSync && message.kind != "S" && message.kind != "X" { return }
        switch message.kind {
        case "Q": runAll(Self.split(message.strings()[0]))
        case "P": parse(message)
        case "B": bind(message)
        case "D": describe(message)
        case "E": execute(message)
        case "C":
            let name = message.strings(skipping: 1)[0]
            if message.body.first == UInt8(ascii: "S") {
                prepared[name] = nil
            } else {
                portals[name] = nil
            }
            say(.closeComplete)
        case "S":
            skipsUntilSync = false
            finish()
        case "F":
            // Whatever is called gives NULL.
            say(Message("V", Message.int32(-1)))
            finish()
        case "X": isDying = true
        case "H", "d", "c", "f": break
        default: fail("08P01", "invalid frontend message type")
        }
    }

    /// The end of a Query, or a Sync: an implicit transaction commits.
    private func finish() {
        if status == "I" {
            commit()
            portals.removeAll()
        }
        if toldStandby != node.isStandby {
            toldStandby = node.isStandby
            say(.parameter("in_hot_standby", toldStandby ? "on" : "off"))
        }
        say(.ready(status))
    }

    func commit() {
        node.journal += written
        node.log?.entries += written
        written.removeAll()
        settingsBefore = nil
    }

    func rollBack() {
        written.removeAll()
        if let settingsBefore { restore(settingsBefore) }
        settingsBefore = nil
    }

    private func fail(_ sqlState: String, _ words: String) {
        say(.error(sqlState, words))
        if status == "T" { status = "E" }
        if status == "I" { rollBack() }
    }

    // MARK: The simple protocol

    private static func split(_ text: String) -> [String] {
        text.split(separator: ";").map { $0.drop { $0 == " " } }.filter { !$0.isEmpty }
            .map(String.init)
    }

    private func runAll(_ statements: [String]) {
        var rest = statements[...]
        if statements.isEmpty { say(Message("I")) }
        while let text = rest.popFirst() {
            switch outcome(of: text) {
            case .done(let columns, let rows, let tag):
                if let columns { say(.columns(columns)) }
                rows.forEach { say(.row($0)) }
                say(.complete(tag))
            case .copyIn:
                copyIn = (Array(rest), [])
                return say(.copyIn)
            case .copyOut(let lines): copyOut(lines)
            case .failed(let sqlState, let words):
                fail(sqlState, words)
                rest = []
            case .busy:
                isBusy = true
                return
            }
        }
        finish()
    }

    private func copyOut(_ lines: [String]) {
        say(.copyOut)
        lines.forEach { say(.copyData($0 + "\n")) }
        say(.copyDone, .complete("COPY \(lines.count)"))
    }

    /// The long statement ends, well or cancelled.
    func release(cancelled: Bool = false) {
        guard isBusy else { return }
        isBusy = false
        let isExtended = heard.last?.kind == "E"
        if cancelled {
            fail("57014", "canceling statement due to user request")
            skipsUntilSync = isExtended
        } else {
            if !isExtended { say(.columns(["pg_sleep"])) }
            say(.row([""]), .complete("SELECT 1"))
        }
        if !isExtended { finish() }
        proceed()
    }

    // MARK: The extended protocol

    private func failExtended(_ sqlState: String, _ words: String) {
        fail(sqlState, words)
        skipsUntilSync = true
    }

    private func parse(_ message: Message) {
        let (name, text) = (message.strings()[0], message.strings()[1])
        if Self.isSyntaxError(text) { return failExtended("42601", "syntax error") }
        if status == "E" && !Self.endsTransaction(text) {
            return failExtended("25P02", "current transaction is aborted")
        }
        if !name.isEmpty && prepared[name] != nil {
            return failExtended("42P05", "prepared statement \"\(name)\" already exists")
        }
        if text.contains("new_table") && node.isStandby || text.contains(node.goneTable) {
            return failExtended("42P01", "relation does not exist")
        }
        prepared[name] = text
        stale.remove(name)
        analysed[name] = columns(of: text)
        say(.parseComplete)
    }

    private func bind(_ message: Message) {
        let (portal, name) = (message.strings()[0], message.strings()[1])
        guard let text = prepared[name] else {
            return failExtended("26000", "prepared statement \"\(name)\" does not exist")
        }
        if isStale(name) { return failStale() }
        portals[portal] = (text, 0)
        say(.bindComplete)
    }

    private func isStale(_ name: String) -> Bool {
        stale.contains(name) || analysed[name] != prepared[name].flatMap(columns)
    }

    private func failStale() {
        say(
            .error(
                "0A000", "cached plan must not change result type",
                routine: "RevalidateCachedQuery"))
        if status == "T" { status = "E" }
        skipsUntilSync = true
    }

    private func describe(_ message: Message) {
        let name = message.strings(skipping: 1)[0]
        let isStatement = message.body.first == UInt8(ascii: "S")
        guard let text = isStatement ? prepared[name] : portals[name]?.text else {
            return failExtended(isStatement ? "26000" : "34000", "\"\(name)\" does not exist")
        }
        if isStatement && isStale(name) { return failStale() }
        if isStatement { say(.parameters) }
        if let columns = columns(of: text) { say(.columns(columns)) } else { say(.noData) }
    }

    private func execute(_ message: Message) {
        let name = message.strings()[0]
        guard let portal = portals[name] else {
            return failExtended("34000", "portal \"\(name)\" does not exist")
        }
        let limit = message.body.suffix(4).reduce(0) { $0 << 8 | Int($1) }
        switch outcome(of: portal.text) {
        case .done(_, let rows, let tag):
            let left = rows.dropFirst(portal.sent)
            if limit > 0 && left.count > limit {
                left.prefix(limit).forEach { say(.row($0)) }
                portals[name]?.sent += limit
                return say(.portalSuspended)
            }
            left.forEach { say(.row($0)) }
            say(.complete(portal.sent == 0 ? tag : "SELECT \(left.count)"))
        case .copyIn:
            copyIn = (nil, [])
            say(.copyIn)
        case .copyOut(let lines): copyOut(lines)
        case .failed(let sqlState, let words): failExtended(sqlState, words)
        case .busy: isBusy = true
        }
    }

    // MARK: COPY FROM STDIN

    /// Sync and Flush are ignored here; what is no copy message ends it (manual: "COPY").
    private func copy(_ message: Message) {
        guard let copying = copyIn else { return }
        switch message.kind {
        case "d" where message.strings()[0].hasPrefix("wrong"):
            endCopy("22P02", "invalid input syntax")
        case "d": copyIn?.lines.append(message.strings()[0].filter { $0 != "\n" })
        case "c":
            copyIn = nil
            written.append((["COPY"] + copying.lines).joined(separator: " "))
            say(.complete("COPY \(copying.lines.count)"))
            if let rest = copying.rest { runAllOrFinish(rest) }
        case "f": endCopy("57014", "COPY from stdin failed: \(message.strings()[0])")
        case "S", "H": break
        default: endCopy("08P01", "unexpected message type during COPY from stdin")
        }
    }

    private func runAllOrFinish(_ rest: [String]) {
        if rest.isEmpty { finish() } else { runAll(rest) }
    }

    private func endCopy(_ sqlState: String, _ words: String) {
        let isExtended = copyIn?.rest == nil
        copyIn = nil
        fail(sqlState, words)
        if isExtended { skipsUntilSync = true } else { finish() }
    }
}

/// What the primaries of a cluster have committed, and its standbys replay.
final class ModelLog {
    var entries: [String] = []
}

/// One member of the cluster, and what was ever committed on it.
final class ModelNode {
    let name: String
    var isStandby: Bool
    var journal: [String] = []
    /// The log that it writes or replays, where a test cares.
    var log: ModelLog?
    /// How many entries of the log it has replayed as a standby.
    var replayed = 0
    /// How many entries of the log a read sees here.
    var position: Int { isStandby ? replayed : log?.entries.count ?? 0 }
    var refusesBegin = false
    /// No statement that names this can be prepared.
    var goneTable = "gone table"
    /// Of what a SELECT returns.
    var columns = ["value"]
    /// Whoever logs in gets this instead.
    var refusal: Message?

    init(_ name: String, isStandby: Bool) {
        self.name = name
        self.isStandby = isStandby
    }
}
