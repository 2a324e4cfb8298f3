// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// What is known of a client's message by its type alone.
enum FrontendShape {
    /// Enough of a message to rewrite the names in it, when the rest is passed on as it comes.
    static let prefixCount = 2_048

    static func isKnown(_ kind: UInt8) -> Bool {
        switch kind {
        case FrontendKind.query, FrontendKind.parse, FrontendKind.bind, FrontendKind.describe,
            FrontendKind.execute, FrontendKind.close, FrontendKind.sync, FrontendKind.flush,
            FrontendKind.functionCall, FrontendKind.copyData, FrontendKind.copyDone,
            FrontendKind.copyFail, FrontendKind.terminate:
            true
        default: false
        }
    }

    static func isCopy(_ kind: UInt8) -> Bool {
        kind == FrontendKind.copyData || kind == FrontendKind.copyDone
            || kind == FrontendKind.copyFail
    }

    /// PostgreSQL's own limits: 1 GB for what may be large, 10 kB for what is small.
    static func limit(of kind: UInt8, _ limits: BufferLimits) -> Int {
        switch kind {
        case FrontendKind.query, FrontendKind.parse, FrontendKind.bind, FrontendKind.copyData,
            FrontendKind.functionCall:
            limits.message
        default: limits.startupPacket
        }
    }

    /// Whether the body need not be seen whole.
    static func mayBePassed(_ kind: UInt8) -> Bool {
        kind == FrontendKind.query || kind == FrontendKind.bind
            || kind == FrontendKind.functionCall
    }
}
