// SPDX-License-Identifier: Apache-2.0

/// CommandComplete: a statement ended; the tag names it.
package enum CommandComplete {
    package static func write(_ tag: String, to queue: inout ByteQueue) {
        queue.message(BackendKind.commandComplete) { $0.append(terminated: tag) }
    }
}
