// SPDX-License-Identifier: Apache-2.0
import Dispatch
import PostgresWire
import ProxyCore
import ProxyRuntime
import Synchronization
import Testing

/// A clock for tests of the runtime.
func testClock() -> Instant { Instant(DispatchTime.now().uptimeNanoseconds) }

@Suite(.timeLimit(.minutes(1))) struct ControlConnectionTests {
    private static let queue = DispatchQueue(label: "test.control")

    private func connection(_ server: ScriptedServer) -> ControlConnection {
        ControlConnection(
            host: "127.0.0.1", port: server.port,
            account: ControlAccount(user: "u", password: nil, database: "d"), queue: Self.queue,
            clock: testClock)
    }

    private func ask(
        _ connection: ControlConnection, _ text: String = "SELECT 1",
        timeout: Instant.Span = .seconds(30)
    ) async -> Result<ControlAnswer, ControlFault> {
        await answer(otherwise: .failure(.lost("no answer in time"))) { done in
            Self.queue.async { connection.query(text, timeout: timeout) { done($0) } }
        }
    }

    private func close(_ connection: ControlConnection) async {
        await completion { done in
            Self.queue.async {
                connection.close()
                done()
            }
        }
    }

    @Test func `rows come back as text, nulls as nothing, over one connection`() async throws {
        let server = ScriptedServer { peer in
            peer.logIn()
            while peer.receiveUnit() { peer.sendRow(["a", nil, ""]) }
        }
        let connection = connection(server)
        for _ in 0..<3 {
            let answer = try await ask(connection).get()
            #expect(answer.rows == [["a", nil, ""]])
            #expect(answer.sentAt <= answer.arrivedAt)
        }
        #expect(server.connectionCount == 1)
        await close(connection)
    }

    @Test func `an error leaves the connection in use`() async {
        let server = ScriptedServer { peer in
            peer.logIn()
            while peer.receiveUnit() {
                peer.sendError("ERROR", "42501", "permission denied")
                peer.sendMessage("Z", Array("I".utf8))
            }
        }
        let connection = connection(server)
        for _ in 0..<2 {
            let answer = await ask(connection)
            let fault = ControlFault.refused(sqlState: "42501", message: "permission denied")
            #expect(answer == .failure(fault))
        }
        #expect(server.connectionCount == 1)
        await close(connection)
    }

    @Test(arguments: [("57P03", true), ("28P01", false), ("53300", false), ("57P01", true)])
    func `a refused login tells its SQLSTATE`(code: String, isDown: Bool) async throws {
        let server = ScriptedServer { peer in
            peer.receiveStartup()
            peer.sendError("FATAL", code, "no: not now")
        }
        let connection = connection(server)
        let answer = await ask(connection)
        guard case .failure(let fault) = answer, case .refused(let sqlState, _) = fault else {
            Issue.record("\(answer)")
            return
        }
        #expect(sqlState.code == code)
        guard case .down = fault.sampleFailure else { return #expect(!isDown) }
        #expect(isDown)
        await close(connection)
    }

    @Test func `a server that is not there is down`() async {
        let server = ScriptedServer { _ in }
        server.stop()
        let connection = connection(server)
        guard case .failure(.lost(let reason)) = await ask(connection) else {
            Issue.record("somebody answered")
            return
        }
        #expect(reason.contains("refused"))
        await close(connection)
    }

    @Test func `silence at login and silence to a query cost the timeout, and the next one connects`()
        async throws
    {
        let turn = Mutex(0)
        let server = ScriptedServer { peer in
            let mine = turn.withLock { turn in
                turn += 1
                return turn
            }
            if mine == 1 { return peer.waitForEnd() }
            peer.logIn()
            while peer.receiveUnit() {
                if mine == 2 { return peer.waitForEnd() }
                peer.sendRow(["\(mine)"])
            }
        }
        let connection = connection(server)
        #expect(await ask(connection, timeout: .milliseconds(100)) == .failure(.timeout))
        #expect(await ask(connection, timeout: .milliseconds(100)) == .failure(.timeout))
        #expect(try await ask(connection).get().rows == [["3"]])
        await close(connection)
    }

    @Test func `a connection that breaks under a query is lost, and the next one connects`()
        async throws
    {
        let turn = Mutex(0)
        let server = ScriptedServer { peer in
            let isFirst = turn.withLock { turn in
                turn += 1
                return turn == 1
            }
            peer.logIn()
            while peer.receiveUnit() {
                if isFirst { return }
                peer.sendRow(["x"])
            }
        }
        let connection = connection(server)
        guard case .failure(.lost) = await ask(connection) else {
            Issue.record("not lost")
            return
        }
        #expect(try await ask(connection).get().rows == [["x"]])
        await close(connection)
    }

    @Test func `an end between two queries is told at once`() async {
        let server = ScriptedServer { peer in
            peer.logIn()
            if peer.receiveUnit() { peer.sendRow(["x"]) }
            peer.sendError("FATAL", "57P01", "terminating connection")
        }
        let connection = connection(server)
        let fault: ControlFault = await answer(otherwise: .timeout) { done in
            Self.queue.async {
                connection.onLost = { done($0) }
                connection.query("SELECT 1", timeout: .seconds(30)) { _ in }
            }
        }
        guard case .lost = fault else {
            Issue.record("\(fault)")
            return
        }
        await close(connection)
    }

    @Test func `queries wait for their turn, and closing answers those that still wait`()
        async throws
    {
        let server = ScriptedServer { peer in
            peer.logIn()
            for turn in 0..<3 where peer.receiveUnit() { peer.sendRow(["\(turn)"]) }
            peer.waitForEnd()
        }
        let connection = connection(server)
        async let first = ask(connection)
        async let second = ask(connection)
        async let third = ask(connection)
        let answers = try await [first.get(), second.get(), third.get()].flatMap(\.rows)
        #expect(Set(answers.compactMap { $0[0] }) == ["0", "1", "2"])
        async let fourth = ask(connection)
        async let fifth = ask(connection)
        await close(connection)
        #expect(await fourth == .failure(.closed))
        #expect(await fifth == .failure(.closed))
        #expect(await ask(connection) == .failure(.closed))
    }

    @Test func `a refusal is told in the server's words`() {
        let message = "connection to server at \"::1\", port 1 failed: FATAL:  28P01: no such luck"
        let refused = ControlFault.refused(sqlState: "28P01", message: message)
        #expect(refused.words == "28P01: no such luck")
        let plain = ControlFault.refused(sqlState: "42501", message: "permission denied")
        #expect(plain.words == "42501: permission denied")
        #expect(ControlFault.timeout.words == "no answer in time")
    }
}
