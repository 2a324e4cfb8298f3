// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
internal import Logging
internal import ProxyConfiguration
internal import ProxyCore
internal import Synchronization

/// Performs what `ResourceWatch` decides for one kind of object.
///
/// Everything happens on the client's queue, as answers come, or on the watch's own, where files
/// are read; what is read from the API is never kept beyond what the roster has.
final class WatchedResource: Sendable {
    /// What is watched.
    enum Kind: String, Sendable {
        case pods, leader
    }

    private struct State {
        var watch: ResourceWatch
        var roster = PodRoster()
        var leader = LeaderHint()
        var lines = LineSplitter(limit: WatchedResource.lineLimit)
        var beganAt = Instant(0)
        /// Why the present stream was ended by us.
        var end: ResourceWatch.End?
        var isFirstPage = true
        var isRunning = false
        var faults = StandingFaults()
    }

    /// One object; etcd takes no larger ones than 1.5 MB.
    private static let lineLimit = 4 << 20
    /// Of one page of a list.
    private static let bodyLimit = 16 << 20
    private static let pageSize = 200
    private static let listTimeout = Instant.Span.seconds(15)
    /// How long the server is asked to keep a watch open.
    private static let watchSeconds: UInt64 = 240

    let kind: Kind
    private let access: KubernetesAccess
    private let client: HTTPClient
    private let queue: DispatchQueue
    private let logger: Logger
    private let clock: @Sendable () -> Instant
    private let onHint: @Sendable (ClusterHint) -> Void
    private let state: Mutex<State>

    init(
        _ kind: Kind, access: KubernetesAccess, client: HTTPClient, queue: DispatchQueue,
        logger: Logger, seed: UInt64, clock: @escaping @Sendable () -> Instant,
        onHint: @escaping @Sendable (ClusterHint) -> Void
    ) {
        self.kind = kind
        self.access = access
        self.client = client
        self.queue = queue
        self.logger = logger
        self.clock = clock
        self.onHint = onHint
        state = Mutex(State(watch: ResourceWatch(seed: seed)))
    }

    var figures: KubernetesWatchFigures {
        state.withLock {
            KubernetesWatchFigures(
                resource: kind.rawValue, isInSync: $0.watch.isInSync, events: $0.watch.events,
                failures: $0.watch.failed)
        }
    }

    func start() {
        let action = state.withLock { state in
            state.isRunning = true
            return state.watch.start()
        }
        perform(action)
    }

    func stop() { state.withLock { $0.isRunning = false } }

    // MARK: Asking

    private func perform(_ action: ResourceWatch.Action) {
        switch action {
        case .nothing: break
        case .list(let token): queue.async { self.list(continuing: token) }
        case .watch(let version): queue.async { self.watch(from: version) }
        case .wait(let until):
            let wait = Int(clamping: (until - clock()).nanoseconds)
            queue.asyncAfter(deadline: .now() + .nanoseconds(wait)) { [weak self] in
                self?.pauseEnded()
            }
        }
    }

    private func pauseEnded() {
        perform(
            state.withLock {
                $0.isRunning ? $0.watch.deadlineReached(now: clock()) : .nothing
            })
    }

    private func list(continuing token: String?) {
        state.withLock { $0.isFirstPage = token == nil }
        var query = ["limit=\(Self.pageSize)"]
        if let token { query.append("continue=\(PercentEncoding.encoded(token))") }
        guard var request = request(query, timeout: Self.listTimeout) else { return }
        request.bodyLimit = Self.bodyLimit
        client.get(request) { self.listed($0) }
    }

    private func watch(from version: String) {
        let now = clock()
        state.withLock {
            $0.beganAt = now
            $0.lines = LineSplitter(limit: Self.lineLimit)
            $0.end = nil
        }
        let query = [
            "watch=1", "allowWatchBookmarks=true", "timeoutSeconds=\(Self.watchSeconds)",
            "resourceVersion=\(PercentEncoding.encoded(version))",
        ]
        guard var request = request(query, timeout: .seconds(Self.watchSeconds + 15)) else { return }
        request.stream = { self.received($0) }
        client.get(request) { self.watchEnded($0) }
    }

    /// The request; nil after it was reported that there can be none.
    private func request(_ query: [String], timeout: Instant.Span) -> HTTPClient.Request? {
        guard state.withLock({ $0.isRunning }) else { return nil }
        let (resource, selector) =
            switch kind {
            case .pods: ("pods", "labelSelector=\(PercentEncoding.encoded(access.pods?.text ?? ""))")
            // A Role can grant one name alone; list and watch are let through by this selector.
            case .leader:
                (
                    "configmaps",
                    "fieldSelector=\(PercentEncoding.encoded("metadata.name=\(access.leader ?? "")"))"
                )
            }
        let url = "\(access.api)/api/v1/namespaces/\(access.namespace)/\(resource)"
        let parameters = ([selector] + query).joined(separator: "&")
        var request = HTTPClient.Request("\(url)?\(parameters)", timeout: timeout)
        request.headers = ["Accept: application/json"]
        guard let file = access.tokenFile else { return request }
        switch Self.token(in: file) {
        case .text(let token, _):
            request.headers.append("Authorization: Bearer \(token)")
            return request
        case .unreadable(let reason):
            ended(.failed("the token cannot be read: \(reason)"))
            return nil
        }
    }

    private static func token(in file: String) -> SecretFile {
        guard case .text(let text, let isOpen) = SecretFile.read(file) else {
            return SecretFile.read(file)
        }
        let token = text.prefix { !$0.isWhitespace }
        guard !token.isEmpty, token.utf8.allSatisfy({ 0x21...0x7e ~= $0 }) else {
            return .unreadable(reason: "'\(file)' does not hold a token")
        }
        return .text(String(token), isWorldReadable: isOpen)
    }

    // MARK: Answers

    private func listed(_ answer: HTTPAnswer) {
        switch answer {
        case .failed(let words): ended(.failed(words))
        case .answered(410, _): ended(.gone)
        case .answered(200, let body):
            guard let page = KubernetesObject.page(body) else {
                return ended(.failed("the answer is no list"))
            }
            take(page)
        case .answered(let status, let body):
            ended(.failed(KubernetesObject.refusal(status: status, body: body)))
        }
    }

    private func take(_ page: KubernetesObject.Page) {
        let now = clock()
        let (hints, action, isBack) = state.withLock {
            state -> ([ClusterHint], ResourceWatch.Action, Bool) in
            guard state.isRunning else { return ([], .nothing, false) }
            let hints =
                switch kind {
                case .pods:
                    state.roster.listed(
                        page.items.compactMap(KubernetesObject.pod), isFirst: state.isFirstPage,
                        isLast: page.token == nil)
                case .leader:
                    state.leader.changed(to: page.items.first.flatMap(KubernetesObject.leader))
                }
            let action = state.watch.listed(
                version: page.version, continuing: page.token, now: now)
            return (hints, action, state.watch.isInSync && state.faults.ended(kind.rawValue))
        }
        if isBack {
            logger.info(
                "Kubernetes watch resumed", metadata: ["resource": "\(kind.rawValue)"])
        }
        hints.forEach(onHint)
        perform(action)
    }

    /// A piece of a stream; false ends it.
    private func received(_ bytes: [UInt8]) -> Bool {
        let (hints, goesOn) = state.withLock { state -> ([ClusterHint], Bool) in
            guard state.isRunning else { return ([], false) }
            guard let lines = state.lines.append(bytes) else {
                state.end = .failed("an object is larger than \(Self.lineLimit >> 20) MB")
                return ([], false)
            }
            var hints: [ClusterHint] = []
            for line in lines {
                hints += take(line, &state)
                if state.end != nil { return (hints, false) }
            }
            return (hints, true)
        }
        hints.forEach(onHint)
        return goesOn
    }

    private func take(_ line: [UInt8], _ state: inout State) -> [ClusterHint] {
        guard let (event, version) = KubernetesObject.event(line) else {
            state.end = .failed("a line of the watch is no event")
            return []
        }
        switch event {
        case .bookmark:
            state.watch.received(version: version, isBookmark: true)
            return []
        case .failed(410, _):
            state.end = .gone
            return []
        case .failed(let code, let reason):
            state.end = .failed("the watch ends with \(code): \(reason)")
            return []
        case .added(let object):
            state.watch.received(version: version)
            switch kind {
            case .pods: return KubernetesObject.pod(object).map { state.roster.changed($0) } ?? []
            case .leader: return state.leader.changed(to: KubernetesObject.leader(object))
            }
        case .deleted(let object):
            state.watch.received(version: version)
            switch kind {
            case .pods: return KubernetesObject.pod(object).map { state.roster.deleted($0) } ?? []
            case .leader: return state.leader.changed(to: nil)
            }
        }
    }

    private func watchEnded(_ answer: HTTPAnswer) {
        let (hints, told) = state.withLock { state -> ([ClusterHint], ResourceWatch.End?) in
            // A last line without its end counts only where the stream came to its own.
            guard case .answered(200, _) = answer, state.end == nil,
                let rest = state.lines.takeRest()
            else { return ([], state.end) }
            return (take(rest, &state), state.end)
        }
        hints.forEach(onHint)
        if let told { return ended(told) }
        switch answer {
        case .answered(200, _): ended(.finished)
        case .answered(410, _): ended(.gone)
        case .answered(let status, let body):
            ended(.failed(KubernetesObject.refusal(status: status, body: body)))
        // A server that does not end a watch when it was asked to has not failed.
        case .failed where clock() - state.withLock({ $0.beganAt }) >= .seconds(Self.watchSeconds):
            ended(.finished)
        case .failed(let words): ended(.failed(words))
        }
    }

    private func ended(_ end: ResourceWatch.End) {
        let now = clock()
        let (action, isNews) = state.withLock { state -> (ResourceWatch.Action, Bool) in
            guard state.isRunning else { return (.nothing, false) }
            var isNews = false
            if case .failed(let reason) = end { isNews = state.faults.failed(kind.rawValue, reason) }
            return (state.watch.ended(end, now: now), isNews)
        }
        if isNews, case .failed(let reason) = end {
            logger.warning(
                "Kubernetes watch failed, members are found through Patroni alone",
                metadata: ["resource": "\(kind.rawValue)", "reason": "\(reason)"])
        }
        perform(action)
    }
}
