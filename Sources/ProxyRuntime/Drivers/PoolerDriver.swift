// SPDX-License-Identifier: Apache-2.0

package import ProxyCore

/// Performs on sockets what one shard's core decides.
///
///     edge ─▶ flags ─▶ read once into the shared buffer ─▶ core ─▶ relay ─▶ output or straight out
///                                                          └─▶ effects
///     end of the wake-up: one send for each socket that has output
///
/// Sockets are watched edge-triggered and never re-registered, so the flags in the table remember
/// what is ready: a short read clears `readable`, a short send clears `writable`, and the next edge
/// sets them again. Nobody reads when nothing can be there. A source whose destination is slow is
/// not read until the destination has drained to half; the kernel then stops its sender.
@safe
package final class PoolerDriver: ShardHandler {
    let shard: ShardID
    let pooler: Pooler
    let epoll: EpollSet
    let entrances: [ShardEntrance]
    private let resolver: Resolver
    private let host: ShardHost
    private var pendingOutputLimit: Int

    var table = ConnectionTable()
    var bulk = BulkReading()
    private let tls: ShardTLS
    var side: SideConnections
    var attempts: ConnectAttempts
    var listeners = ShardListeners()
    var statistics = LoopCounters()
    private var whenDrained: (@Sendable () -> Void)?
    /// The latest time at which bytes were given to the core; for these it never goes back.
    private var newestTime = Instant(0)

    /// What every read of the shard goes into; an idle connection owns no buffer.
    private let buffer = UnsafeMutableRawBufferPointer.allocate(
        byteCount: PoolerDriver.bufferSize, alignment: 4096)
    /// Sockets that can be read without a further event, and the list that is being worked on.
    private var runnable: [ConnectionID] = []
    private var running: [ConnectionID] = []
    /// Connections that failed on the spot; told at the end of the wake-up, not inside an effect.
    private var failedConnects: [(ConnectionID, reason: String)] = []

    private static let bufferSize = 256 << 10
    /// What one socket may bring in one wake-up before the others get their turn.
    private static let readBudget = 512 << 10

    package init(
        shard: ShardID, pooler: Pooler, policy: ProxyPolicy, epoll: EpollSet,
        entrances: [ShardEntrance], resolver: Resolver, tls: ShardTLS, host: ShardHost
    ) {
        self.tls = tls
        side = SideConnections(tls)
        attempts = ConnectAttempts(tls)
        self.shard = shard
        self.pooler = pooler
        self.epoll = epoll
        self.entrances = entrances
        self.resolver = resolver
        self.host = host
        pendingOutputLimit = policy.limits.pendingOutput
        attempts.tcp = policy.tcp
    }

    deinit { unsafe buffer.deallocate() }

    // MARK: The loop's calls

    package func ready(_ id: ConnectionID, _ readiness: SocketReadiness, now: Instant) {
        guard table.holds(id) else {
            if listeners.noticed(id) { return acceptWaiting(now: now) }
            return sideReady(id, readiness, now: now)
        }
        let wasWritable = table.state(of: id).contains(.writable)
        table.insert(SocketState(readiness), of: id)
        if table.state(of: id).contains(.connecting) {
            return connecting(id, readiness, now: now)
        }
        if !wasWritable && readiness.contains(.writable) { flush(id) }
        if !readiness.isDisjoint(with: .worthReading) { attend(id, now: now) }
    }

    package func received(_ mail: ShardMail, now: Instant) {
        switch mail {
        case .listen(let acceptor, let route): listen(acceptor, route: route)
        case .stopListening: listeners.closeAll()
        case .accepted(let socket, let peer, let route):
            accept(socket, peer: peer, route: route, now: now)
        case .message(let message): pooler.deliver(message, now: now)
        case .adopt(let transferred): adopt(transferred, now: now)
        case .resolved(let id, let answer): resolved(id, answer, now: now)
        case .secret(let lookup, let id): pooler.secretArrived(lookup, for: id, now: now)
        case .topologyChanged:
            if let topology = entrances[shard.index].takeTopology() {
                pooler.topologyChanged(topology, now: now)
            }
        case .reconfigured(let policy, let rules):
            pendingOutputLimit = policy.limits.pendingOutput
            attempts.tcp = policy.tcp
            listeners.tune(policy.tcp)
            pooler.reconfigured(policy, rules: rules, now: now)
        case .perform(let body): body(pooler, now)
        case .drain(let completion):
            whenDrained = completion
            pooler.drain(now: now)
        case .statistics(let answer):
            answer(statistics)
        }
        performEffects(now: now)
    }

    package func finish(now: Instant) -> Bool {
        statistics.wakeups += 1
        readRunnable(now: now)
        if listeners.hasWork(now: now) { acceptWaiting(now: now) }
        tellFailedConnects(now: now)
        if let deadline = pooler.nextDeadline, deadline <= now {
            pooler.deadlineReached(now: now)
            performEffects(now: now)
        }
        while let outcome = side.expireNext(now: now) { sideChanged(outcome, now: now) }
        if bulk.deadline != nil { visitStreams(now: now) }
        flushDirty(now: now)
        tellIfDrained()
        return !runnable.isEmpty || !failedConnects.isEmpty || listeners.hasWork(now: now)
    }

    package var nextDeadline: Instant? {
        var earliest = pooler.nextDeadline
        func consider(_ deadline: Instant?) {
            guard let deadline else { return }
            if let found = earliest, found <= deadline { return }
            earliest = deadline
        }
        consider(side.nextDeadline)
        consider(bulk.deadline)
        consider(listeners.deadline)
        return earliest
    }

    package func stopped() {
        listeners.closeAll()
        side.closeAll()
        for id in table.all {
            while table.nextUnblocked(by: id) != nil {}
            table.vacate(id).close()
        }
        whenDrained?()
        whenDrained = nil
    }

    // MARK: Reading

    /// Reads a socket that may have something, unless the core or a slow receiver is against it.
    func attend(_ id: ConnectionID, now: Instant) {
        let state = table.state(of: id)
        if state.isDisjoint(with: [.paused, .blocked]) { return read(id, now: now) }
        // Nobody is there to be answered, so what it still sent does not matter. What a server has
        // sent does: it is read when its client is ready for it.
        if state.contains(.ending) && !state.contains(.server) {
            lost(id, reason: "the client closed the connection", now: now)
        }
    }

    private func read(_ id: ConnectionID, now: Instant) {
        var budget = Self.readBudget
        while budget > 0 {
            statistics.reads += 1
            switch unsafe table.receive(id, into: buffer) {
            case .received(let count, let drained):
                statistics.bytesReceived += count
                // Records without data, such as those of a handshake, are work, too.
                budget -= max(count, 4096)
                // The end of the stream makes no edge of its own when it came with the bytes.
                if drained && !table.state(of: id).contains(.ending) {
                    table.remove(.readable, of: id)
                }
                if count > 0 {
                    if count >= BulkReading.smallPiece { countStream(count, on: id, now: now) }
                    feed(count, from: id, now: arrival(of: id, wokenAt: now))
                } else {
                    shookHands(id, now: now)
                }
            case .nothing:
                statistics.emptyReads += 1
                return table.remove(.readable, of: id)
            case .ended: return lost(id, reason: "the peer closed the connection", now: now)
            case .failed(let code): return failed(id, code, now: now)
            }
            guard table.holds(id), mayRead(id) else { return }
        }
        enqueue(id)
    }

    /// Session positions need a time at which a server's bytes were here for certain, and the wake-up
    /// may have begun before it wrote them. A client's came no later than the last look at the clock.
    private func arrival(of id: ConnectionID, wokenAt now: Instant) -> Instant {
        if table.state(of: id).contains(.server) {
            newestTime = MonotonicClock.now
        } else if newestTime < now {
            newestTime = now
        }
        return newestTime
    }

    private func mayRead(_ id: ConnectionID) -> Bool {
        let state = table.state(of: id)
        return state.contains(.readable) && state.isDisjoint(with: [.paused, .blocked])
    }

    /// Gives the core what was read, relays what it says, and performs what it wants.
    private func feed(_ count: Int, from id: ConnectionID, now: Instant) {
        let bytes = unsafe RawSpan(_unsafeStart: buffer.baseAddress!, byteCount: count)
        var offset = 0
        while offset < count {
            let rest = bytes.extracting(offset..<count)
            let relay = pooler.received(rest, from: id, now: now)
            precondition(relay.count > 0 && relay.count <= rest.byteCount)
            if let destination = relay.destination {
                forward(rest.extracting(first: relay.count), to: destination)
            }
            performEffects(now: now)
            guard table.holds(id) else { return }
            stopIfSlow(relay.destination ?? id, source: id)
            offset += relay.count
        }
    }

    private func forward(_ bytes: RawSpan, to destination: ConnectionID) {
        guard table.holds(destination) else { return }
        var sent = 0
        if bytes.byteCount >= Relay.directCount && canSend(destination) {
            if pooler.outputCount(of: destination) > 0 { flush(destination) }
            if pooler.outputCount(of: destination) == 0 && canSend(destination) {
                sent = send(bytes, to: destination)
            }
        }
        if sent < bytes.byteCount {
            pooler.append(bytes.extracting(droppingFirst: sent), toOutputOf: destination)
        }
    }

    private func stopIfSlow(_ destination: ConnectionID, source: ConnectionID) {
        guard pooler.outputCount(of: destination) > pendingOutputLimit,
            table.holds(destination)
        else { return }
        if canSend(destination) { flush(destination) }
        if pooler.outputCount(of: destination) > pendingOutputLimit {
            statistics.blocks += 1
            table.block(source, on: destination)
        }
    }

    private func enqueue(_ id: ConnectionID) {
        guard !table.state(of: id).contains(.runnable) else { return }
        table.insert(.runnable, of: id)
        runnable.append(id)
    }

    private func readRunnable(now: Instant) {
        guard !runnable.isEmpty else { return }
        swap(&runnable, &running)
        for id in running where table.holds(id) {
            table.remove(.runnable, of: id)
            if table.state(of: id).contains(.readable) { attend(id, now: now) }
        }
        running.removeAll(keepingCapacity: true)
    }

    // MARK: Sending

    private func canSend(_ id: ConnectionID) -> Bool {
        let state = table.state(of: id)
        return state.contains(.writable) && !state.contains(.connecting)
    }

    /// Everything that the wake-up produced for one socket leaves in one send.
    private func flushDirty(now: Instant) {
        // A socket that took bytes on its edge may have let its sender go on.
        performEffects(now: now)
        while let id = pooler.nextDirty() {
            if table.holds(id) { flush(id) }
            performEffects(now: now)
        }
    }

    /// Sends what waits for a connection, in one call if the kernel takes it all.
    private func flush(_ id: ConnectionID) {
        guard canSend(id) else { return }
        if let session = table.session(of: id),
            session.sendUnsent(to: table.socket(of: id)) != nil
        {
            // An error is found by reading.
            return table.remove(.writable, of: id)
        }
        pooler.withOutput(of: id) { $0.isEmpty ? 0 : send($0, to: id) }
        guard table.hasWaiters(id),
            pooler.outputCount(of: id) <= pendingOutputLimit / 2
        else { return }
        wakeWaiters(of: id)
    }

    /// Sends once and returns how much the kernel took.
    private func send(_ bytes: RawSpan, to id: ConnectionID) -> Int {
        statistics.sends += 1
        if table.state(of: id).contains(.streaming) { endStream(id) }
        switch table.send(bytes, to: id) {
        case .sent(let count, let full):
            statistics.bytesSent += count
            if full { table.remove(.writable, of: id) }
            return count
        case .failed:
            // Reading tells why, after whatever the peer said last.
            table.remove(.writable, of: id)
            table.insert([.readable, .ending], of: id)
            enqueue(id)
            return 0
        }
    }

    private func wakeWaiters(of id: ConnectionID) {
        while let source = table.nextUnblocked(by: id) {
            if table.state(of: source).contains(.readable) { enqueue(source) }
        }
    }

    // MARK: Effects

    func performEffects(now: Instant) {
        while let effect = pooler.nextEffect() { perform(effect, now: now) }
    }

    private func perform(_ effect: Effect, now: Instant) {
        switch effect {
        case .connect(let id, let name, let port): connect(id, host: name, port: port)
        case .close(let id): close(id, now: now)
        case .pauseReading(let id): pause(id)
        case .resumeReading(let id): resume(id)
        case .startTLS(let id, let received): startTLS(id, received)
        case .deliverCancel(let server, let name, let port, let packet):
            deliverCancel(.init(server: server, host: name, port: port, packet: packet), now: now)
        case .askPeer(let peer, let packet): ask(peer, packet, now: now)
        case .lookUpSecret(let id, let user, let newerThan):
            let mailbox = entrances[shard.index].mailbox
            host.lookUpSecret(user, newerThan) { mailbox.post(.secret($0, id)) }
        case .needCatalogue(let database): host.needCatalogue(database)
        case .catalogueStale(let database): host.catalogueStale(database)
        case .doubt(let node): host.doubt(node)
        case .wantPositions: host.wantPositions()
        case .post(let other, let message):
            post(message, to: other)
        case .broadcast(let message):
            for index in entrances.indices where index != shard.index {
                post(message, to: ShardID(index))
            }
        case .transfer(let id, let other): transfer(id, to: other)
        case .log(let event): host.log(shard, event)
        }
    }

    /// Cancels and hints; one that is lost is missed by nobody for long.
    private func post(_ message: ShardMessage, to other: ShardID) {
        // A stranger's cancel request may name a shard that never was.
        guard entrances.indices.contains(other.index) else { return }
        if !entrances[other.index].mailbox.offer(.message(message)) {
            statistics.refusedMail += 1
        }
    }

    private func pause(_ id: ConnectionID) {
        guard table.holds(id) else { return }
        statistics.blocks += 1
        table.insert(.paused, of: id)
        // It may have left already, which nobody would notice while it is not read.
        if table.state(of: id).contains(.ending) { enqueue(id) }
    }

    private func resume(_ id: ConnectionID) {
        guard table.holds(id) else { return }
        table.remove(.paused, of: id)
        if table.state(of: id).contains(.readable) { enqueue(id) }
    }

    /// Sends what the core still has for it, and closes it in a way that lets it arrive.
    private func close(_ id: ConnectionID, now: Instant) {
        guard table.holds(id) else { return }
        var hadOutput = false
        var unsent: [UInt8] = []
        let canSend = canSend(id)
        let isReadable = !table.state(of: id).contains(.handshaking)
        pooler.withOutput(of: id) { bytes in
            // In the middle of a handshake there is no way to say anything.
            guard isReadable else { return bytes.byteCount }
            hadOutput = !bytes.isEmpty
            let sent = canSend && hadOutput ? send(bytes, to: id) : 0
            if sent < bytes.byteCount {
                unsent = unsafe bytes.extracting(droppingFirst: sent).withUnsafeBytes {
                    unsafe Array($0)
                }
            }
            return bytes.byteCount
        }
        let state = table.state(of: id)
        let channel = forget(id)
        let mustLinger =
            !unsent.isEmpty || channel.hasUnsent || hadOutput && !state.contains(.server)
        if mustLinger && state.isDisjoint(with: [.ending, .connecting]) {
            side.bidFarewell(id, channel, unsent: unsent, now: now)
        } else {
            channel.close()
        }
        // The rest is between the socket and the side connections; the core's id is free.
        pooler.disconnected(id, reason: "closed", now: now)
    }

    /// The socket is gone: frees its slot and tells the core.
    private func lost(_ id: ConnectionID, reason: String, now: Instant) {
        forget(id).close()
        pooler.disconnected(id, reason: reason, now: now)
        performEffects(now: now)
    }

    /// Frees a slot; its socket is the caller's.
    private func forget(_ id: ConnectionID) -> Channel {
        if !table.state(of: id).contains(.server) { entrances[shard.index].clientLeft() }
        wakeWaiters(of: id)
        attempts.end(id)
        endStream(id)
        return table.vacate(id)
    }

    // MARK: Arrivals

    /// Takes a socket into the table; its readiness comes as a first event.
    func watch(_ id: ConnectionID, _ socket: Socket, state: SocketState) {
        table.occupy(id, socket: socket, state: state)
        do throws(SocketError) {
            try epoll.add(socket.descriptor, as: id)
        } catch {
            failedConnects.append((id, error.description))
        }
    }

    private func transfer(_ id: ConnectionID, to other: ShardID) {
        // The core forgets the server with this; it keeps one that has something to do again.
        guard table.holds(id), let server = pooler.handOver(id) else { return }
        let channel = forget(id)
        epoll.remove(channel.socket.descriptor)
        // Not more than there may be servers, so the mailbox must take it.
        entrances[other.index].mailbox.post(.adopt(TransferredServer(server, channel)))
    }

    private func adopt(_ transferred: TransferredServer, now: Instant) {
        let id = unsafe pooler.adopt(transferred.server, now: now)
        let channel = unsafe transferred.channel
        watch(id, channel.socket, state: .server)
        guard let session = channel.session else { return }
        tls.adopt(session)
        table.encrypt(id, session)
    }

    // MARK: Connecting

    private func connect(_ id: ConnectionID, host name: String, port: UInt16) {
        table.occupy(id, socket: .none, state: [.server, .connecting])
        attempts.begin(id, host: name)
        resolve(id, host: name, port: port)
    }

    /// Literal addresses are tried at once; names are looked up elsewhere and come back as mail.
    func resolve(_ id: ConnectionID, host name: String, port: UInt16) {
        let mailbox = entrances[shard.index].mailbox
        do throws(SocketError) {
            if let address = try SocketAddress.literal(host: name, port: port) {
                mailbox.post(.resolved(id, .success([address])))
            } else {
                resolver.resolve(host: name, port: port) { mailbox.post(.resolved(id, $0)) }
            }
        } catch {
            mailbox.post(.resolved(id, .failure(error)))
        }
    }

    private func resolved(_ id: ConnectionID, _ answer: Resolver.Answer, now: Instant) {
        guard table.holds(id) else {
            return sideChanged(side.resolved(id, answer, epoll: epoll), now: now)
        }
        switch answer {
        case .success(let addresses):
            attempts.resolved(id, addresses)
            connectNext(id)
        case .failure(let error): failedConnects.append((id, error.description))
        }
    }

    private func connectNext(_ id: ConnectionID) {
        do throws(SocketError) {
            let socket = try attempts.next(id)
            table.setSocket(socket, of: id)
            try epoll.add(socket.descriptor, as: id)
        } catch {
            failedConnects.append((id, error.description))
        }
    }

    private func connecting(_ id: ConnectionID, _ readiness: SocketReadiness, now: Instant) {
        let socket = table.socket(of: id)
        switch attempts.advance(id, socket, readiness) {
        case .waiting: return
        case .failedHere:
            socket.close()
            table.setSocket(.none, of: id)
            table.remove([.readable, .writable, .ending], of: id)
            return connectNext(id)
        case .failed(let reason): return failedConnects.append((id, reason))
        case .connected(let session):
            if let session { table.encrypt(id, session) }
            table.remove(.connecting, of: id)
            pooler.connected(id, encryption: session?.encryption, now: now)
        }
        performEffects(now: now)
        guard table.holds(id) else { return }
        flush(id)
        if table.state(of: id).contains(.readable) { attend(id, now: now) }
    }

    private func tellFailedConnects(now: Instant) {
        guard !failedConnects.isEmpty else { return }
        let failed = failedConnects
        failedConnects = []
        for (id, reason) in failed where table.holds(id) {
            lost(id, reason: reason, now: now)
        }
    }

    // MARK: TLS

    /// From here on a client's bytes are encrypted; what is queued for it goes first, in clear.
    private func startTLS(_ id: ConnectionID, _ received: [UInt8]) {
        guard table.holds(id) else { return }
        do throws(TLSFault) {
            let session = try tls.sessionOfClient(early: received)
            pooler.withOutput(of: id) { answer in
                session.sendFirst([UInt8](copying: answer))
                return answer.byteCount
            }
            table.encrypt(id, session)
            table.insert(.handshaking, of: id)
            flush(id)
            guard !received.isEmpty else { return }
            table.insert(.readable, of: id)
            enqueue(id)
        } catch {
            failedConnects.append((id, "TLS: \(error)"))
        }
    }

    /// Something was read that held no data; perhaps the end of a client's handshake.
    private func shookHands(_ id: ConnectionID, now: Instant) {
        guard let session = table.session(of: id) else { return }
        guard session.isEstablished, table.state(of: id).contains(.handshaking) else { return }
        table.remove(.handshaking, of: id)
        pooler.secured(id, session.encryption, now: now)
        performEffects(now: now)
    }

    /// A read failed. In a handshake that leaves an alert, which the client should get to see.
    private func failed(_ id: ConnectionID, _ code: Int32, now: Instant) {
        guard let fault = table.session(of: id)?.fault else {
            return lost(id, reason: SocketError.text(of: code), now: now)
        }
        let isClient = !table.state(of: id).contains(.server)
        let channel = forget(id)
        if isClient {
            side.bidFarewell(id, Channel(channel.socket), unsent: [], now: now)
        } else {
            channel.close()
        }
        pooler.disconnected(id, reason: "TLS: \(fault)", now: now)
        performEffects(now: now)
    }

    private func tellIfDrained() {
        guard let whenDrained, pooler.numberOfClients == 0, side.isEmpty else { return }
        self.whenDrained = nil
        whenDrained()
    }
}
