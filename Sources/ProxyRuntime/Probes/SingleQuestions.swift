// SPDX-License-Identifier: Apache-2.0

internal import Dispatch
package import ProxyConfiguration
package import ProxyCore

/// Single questions to Patroni and to servers, for commands that ask once and end.
///
/// Waiting for an answer blocks no thread; every question has a timeout of its own.
package final class SingleQuestions: Sendable {
    private let queue = DispatchQueue(label: "martlet.questions")
    private let client: HTTPClient

    package init(files: TLSFiles = TLSFiles()) { client = HTTPClient(files: files) }

    /// `GET` of an address.
    package func get(_ url: String, timeout: Instant.Span) async -> HTTPAnswer {
        await withCheckedContinuation { continuation in
            client.get(url, timeout: timeout) { continuation.resume(returning: $0) }
        }
    }

    /// One statement on a connection of its own, which is closed afterwards.
    package func ask(
        host: String, port: UInt16, account: ControlAccount, _ text: String,
        _ parameters: [String?] = [], timeout: Instant.Span
    ) async -> Result<ControlAnswer, ControlFault> {
        await withCheckedContinuation { continuation in
            queue.async { [queue] in
                let connection = ControlConnection(
                    host: host, port: port, account: account, queue: queue,
                    clock: { MonotonicClock.now })
                connection.query(text, parameters, timeout: timeout) { result in
                    connection.close()
                    continuation.resume(returning: result)
                }
            }
        }
    }
}
