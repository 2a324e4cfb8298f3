// SPDX-License-Identifier: Apache-2.0

internal import CCurl
internal import Dispatch
package import ProxyConfiguration
package import ProxyCore
internal import Synchronization

/// Sends HTTP requests with libcurl: to Patroni, the Kubernetes API and other martlets.
///
/// One short-lived connection a request, with a timeout on everything: five idle connections are
/// enough to silence a Patroni. All transfers share one libcurl multi handle, which a block on a
/// queue of its own drives while there are any; without requests no thread is held. Completions
/// are called on that queue.
// The multi handle and its transfers are touched on `queue` only, but for `curl_multi_wakeup`,
// which libcurl allows from any thread.
@safe package final class HTTPClient: @unchecked Sendable {
    /// Longer answers are cut off and count as failures.
    package static let bodyLimit = 1 << 20
    /// Seconds; a member that comes back elsewhere should not be missed for libcurl's minute.
    private static let nameLifetime = 5
    /// Milliseconds; who does not accept by then does not.
    private static let connectTimeout = 10_000
    /// Requests under way at a time; one more fails at once.
    package static let requestLimit = 1024

    /// What may be asked for, beyond an address and a time.
    package struct Request: Sendable {
        package let url: String
        package let timeout: Instant.Span
        /// Asked instead of what the URL's host resolves to.
        package var address: SocketAddress?
        /// Whole lines, such as `Accept: application/json`.
        package var headers: [String] = []
        package var bodyLimit = HTTPClient.bodyLimit
        /// Gets the body of a 200 piece by piece, on the client's queue, and says whether to go on;
        /// nil: the body is collected.
        package var stream: (@Sendable ([UInt8]) -> Bool)?

        package init(_ url: String, timeout: Instant.Span) {
            self.url = url
            self.timeout = timeout
        }
    }

    /// One request under way; libcurl's callback appends to `body`.
    @safe private final class Transfer {
        var body: [UInt8] = []
        let request: Request
        let completion: @Sendable (HTTPAnswer) -> Void
        /// The transfer's own, for as long as it is under way.
        let handle: UnsafeMutableRawPointer
        /// Where to connect to, and what to say; libcurl reads them until the transfer is over.
        var places: UnsafeMutablePointer<curl_slist>?
        var headers: UnsafeMutablePointer<curl_slist>?

        init(_ asked: Asked, _ handle: UnsafeMutableRawPointer) {
            request = asked.request
            completion = asked.completion
            unsafe self.handle = handle
        }

        deinit {
            unsafe curl_slist_free_all(places)
            unsafe curl_slist_free_all(headers)
        }

        /// False where it is too much, or nobody wants more.
        func received(_ bytes: UnsafeRawBufferPointer) -> Bool {
            if let stream = request.stream {
                var status = 0
                _ = unsafe martlet_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
                if status == 200 { return unsafe stream(Array(bytes)) }
            }
            guard body.count + bytes.count <= request.bodyLimit else { return false }
            unsafe body.append(contentsOf: bytes)
            return true
        }
    }

    private struct Asked {
        let request: Request
        let completion: @Sendable (HTTPAnswer) -> Void
    }

    private struct Inbox {
        var requests: [Asked] = []
        var underWay = 0
        var isDriven = false
        var isStopped = false
    }

    private let files: TLSFiles
    private let queue = DispatchQueue(label: "martlet.http-client")
    private let inbox = Mutex(Inbox())
    private let multi: UnsafeMutableRawPointer?
    private var transfers: [UnsafeMutableRawPointer: Transfer] = unsafe [:]

    private static let isLibraryReady = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) == CURLE_OK

    /// - Parameter files: how https servers are checked, and how we show who we are.
    package init(files: TLSFiles = TLSFiles()) {
        self.files = files
        unsafe multi = Self.isLibraryReady ? unsafe curl_multi_init() : nil
    }

    deinit {
        // A block that drives transfers holds the client, so there are none.
        if let multi = unsafe multi { _ = unsafe curl_multi_cleanup(multi) }
    }

    /// `GET url`; `completion` is called exactly once, on a queue of the client.
    ///
    /// With an address, that is asked instead of what the URL's host resolves to; certificates are
    /// still compared with the host.
    package func get(
        _ url: String, at address: SocketAddress? = nil, timeout: Instant.Span,
        _ completion: @escaping @Sendable (HTTPAnswer) -> Void
    ) {
        var request = Request(url, timeout: timeout)
        request.address = address
        get(request, completion)
    }

    /// The same with all that can be said of a request.
    package func get(
        _ request: Request, _ completion: @escaping @Sendable (HTTPAnswer) -> Void
    ) {
        enum Next { case drive, wake, refuse }
        let next = inbox.withLock { inbox -> Next in
            guard inbox.underWay < Self.requestLimit, !inbox.isStopped else { return .refuse }
            inbox.underWay += 1
            inbox.requests.append(Asked(request: request, completion: completion))
            if inbox.isDriven { return .wake }
            inbox.isDriven = true
            return .drive
        }
        switch next {
        case .drive: queue.async { self.drive() }
        case .wake: if let multi = unsafe multi { _ = unsafe curl_multi_wakeup(multi) }
        case .refuse: queue.async { completion(.failed("too many requests under way")) }
        }
    }

    /// Ends what is under way as failed, and refuses what comes; a stream would never end by itself.
    package func stop() {
        inbox.withLock { $0.isStopped = true }
        if let multi = unsafe multi { _ = unsafe curl_multi_wakeup(multi) }
    }

    // MARK: On the queue

    /// Runs transfers until there are none.
    private func drive() {
        while true {
            let requests = inbox.withLock { inbox in
                defer { inbox.requests = [] }
                return inbox.requests
            }
            for request in requests { start(request) }
            var running: Int32 = 0
            if let multi = unsafe multi {
                _ = unsafe curl_multi_perform(multi, &running)
                unsafe finishTransfers(multi)
                if inbox.withLock({ $0.isStopped }) { unsafe abandonTransfers(multi) }
            }
            let isDone = inbox.withLock { inbox in
                if inbox.underWay == 0 { inbox.isDriven = false }
                return inbox.underWay == 0
            }
            if isDone { return }
            if let multi = unsafe multi, running > 0 {
                _ = unsafe curl_multi_poll(multi, nil, 0, 1000, nil)
            }
        }
    }

    private func start(_ asked: Asked) {
        guard let multi = unsafe multi, let handle = unsafe curl_easy_init() else {
            return finish(asked.completion, .failed("libcurl is not available"))
        }
        let transfer = unsafe Transfer(asked, handle)
        guard unsafe configure(handle, transfer), unsafe configureLists(handle, transfer),
            unsafe curl_multi_add_handle(multi, handle) == CURLM_OK
        else {
            unsafe curl_easy_cleanup(handle)
            return finish(asked.completion, .failed("bad request: \(asked.request.url)"))
        }
        unsafe transfers[handle] = transfer
    }

    private func configure(
        _ handle: UnsafeMutableRawPointer, _ transfer: Transfer
    ) -> Bool {
        let request = transfer.request
        let milliseconds = Int(clamping: max(request.timeout.milliseconds, 1))
        let numbers: [(CURLoption, Int)] = [
            (CURLOPT_TIMEOUT_MS, milliseconds),
            (CURLOPT_CONNECTTIMEOUT_MS, min(milliseconds, Self.connectTimeout)),
            (CURLOPT_NOSIGNAL, 1), (CURLOPT_FORBID_REUSE, 1), (CURLOPT_FRESH_CONNECT, 1),
            (CURLOPT_FOLLOWLOCATION, 0),
            (CURLOPT_MAXFILESIZE, request.stream == nil ? request.bodyLimit : 0),
            // A stream may be silent for long; a server that is gone must be noticed none the less.
            (CURLOPT_TCP_KEEPALIVE, request.stream == nil ? 0 : 1),
            (CURLOPT_TCP_KEEPIDLE, 15), (CURLOPT_TCP_KEEPINTVL, 5),
            (CURLOPT_TCP_NODELAY, 1), (CURLOPT_DNS_CACHE_TIMEOUT, Self.nameLifetime),
            // Seconds until a file of authorities is read again; libcurl would keep it for a day.
            (CURLOPT_CA_CACHE_TIMEOUT, 30),
        ]
        // An http_proxy of the environment is for the way out, not for the cluster.
        var texts: [(CURLoption, String)] = [
            (CURLOPT_URL, request.url), (CURLOPT_PROTOCOLS_STR, "http,https"),
            (CURLOPT_PROXY, ""), (CURLOPT_USERAGENT, "martlet"),
        ]
        if let file = files.authority { texts.append((CURLOPT_CAINFO, file)) }
        if let file = files.certificate { texts.append((CURLOPT_SSLCERT, file)) }
        if let file = files.key { texts.append((CURLOPT_SSLKEY, file)) }
        for (option, value) in numbers {
            if unsafe martlet_curl_set_long(handle, option, value) != CURLE_OK { return false }
        }
        for (option, value) in texts {
            if unsafe martlet_curl_set_string(handle, option, value) != CURLE_OK { return false }
        }
        // The transfer lives in `transfers` for as long as the handle does.
        let context = unsafe Unmanaged.passUnretained(transfer).toOpaque()
        return unsafe martlet_curl_set_write(handle, Self.receive, context) == CURLE_OK
    }

    private func configureLists(
        _ handle: UnsafeMutableRawPointer, _ transfer: Transfer
    ) -> Bool {
        if let address = transfer.request.address {
            unsafe transfer.places = curl_slist_append(nil, "::\(address.text)")
            let places = unsafe UnsafeMutableRawPointer(transfer.places)
            let code = unsafe martlet_curl_set_pointer(handle, CURLOPT_CONNECT_TO, places)
            if unsafe transfer.places == nil || code != CURLE_OK { return false }
        }
        for line in transfer.request.headers {
            guard let longer = unsafe curl_slist_append(transfer.headers, line) else { return false }
            unsafe transfer.headers = longer
        }
        guard unsafe transfer.headers != nil else { return true }
        let headers = unsafe UnsafeMutableRawPointer(transfer.headers)
        return unsafe martlet_curl_set_pointer(handle, CURLOPT_HTTPHEADER, headers) == CURLE_OK
    }

    /// Takes a piece of a body; another count than it was given stops the transfer.
    private static let receive: martlet_curl_write_function = { data, size, count, context in
        guard let data = unsafe data, let context = unsafe context else { return 0 }
        let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
        let length = size * count
        let bytes = unsafe UnsafeRawBufferPointer(start: data, count: length)
        return unsafe transfer.received(bytes) ? length : 0
    }

    private func abandonTransfers(_ multi: UnsafeMutableRawPointer) {
        let abandoned = unsafe transfers
        unsafe transfers = [:]
        for unsafe (handle, transfer) in unsafe abandoned {
            unsafe curl_multi_remove_handle(multi, handle)
            unsafe curl_easy_cleanup(handle)
            finish(transfer.completion, .failed("stopped"))
        }
    }

    private func finishTransfers(_ multi: UnsafeMutableRawPointer) {
        var left: Int32 = 0
        while let message = unsafe curl_multi_info_read(multi, &left) {
            guard unsafe message.pointee.msg == CURLMSG_DONE,
                let handle = unsafe message.pointee.easy_handle
            else { continue }
            let code = unsafe message.pointee.data.result
            let transfer = unsafe transfers.removeValue(forKey: handle)
            var status = 0
            _ = unsafe martlet_curl_get_long(handle, CURLINFO_RESPONSE_CODE, &status)
            unsafe curl_multi_remove_handle(multi, handle)
            unsafe curl_easy_cleanup(handle)
            guard let transfer else { continue }
            if code == CURLE_OK {
                finish(transfer.completion, .answered(status: status, body: transfer.body))
            } else {
                let words = unsafe String(cString: curl_easy_strerror(code))
                finish(transfer.completion, .failed(words))
            }
        }
    }

    private func finish(_ completion: @Sendable (HTTPAnswer) -> Void, _ answer: HTTPAnswer) {
        inbox.withLock { $0.underWay -= 1 }
        completion(answer)
    }
}
