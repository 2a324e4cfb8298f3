// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire

/// What is known of a server's message by its type alone.
enum BackendShape {
    /// Larger than any error, notice or row description that a server sends.
    static let wholeLimit = 16 << 20

    /// It is read, not only passed on.
    static func isSpecial(_ kind: UInt8) -> Bool {
        switch kind {
        case BackendKind.readyForQuery, BackendKind.errorResponse, BackendKind.parameterStatus,
            BackendKind.authentication, BackendKind.backendKeyData, BackendKind.noticeResponse,
            BackendKind.notificationResponse, BackendKind.negotiateProtocolVersion:
            true
        default: false
        }
    }

    /// It answers a message, while others may come at any time.
    static func isReply(_ kind: UInt8) -> Bool {
        kind != BackendKind.noticeResponse && kind != BackendKind.parameterStatus
            && kind != BackendKind.notificationResponse
    }

    /// After it the client has got something of the answer: the unit is not run again.
    static func isDecisive(_ kind: UInt8) -> Bool {
        switch kind {
        case BackendKind.parseComplete, BackendKind.bindComplete, BackendKind.closeComplete,
            BackendKind.parameterDescription, BackendKind.rowDescription, BackendKind.noData,
            BackendKind.noticeResponse, BackendKind.parameterStatus,
            BackendKind.notificationResponse:
            false
        default: true
        }
    }
}
