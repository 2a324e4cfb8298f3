// SPDX-License-Identifier: Apache-2.0

/// What the rules of the structure do not hold for, each with a reason, and the table of what breaks
/// them today, which may only shrink.
enum StructureExceptions {
    /// Structs that are plain values: a copy of one may be read and changed by its owner.
    static let values: [String: String] = [
        "ClientSession.GatheredMessage": "where one message lies in the inbound bytes",
        "OwedReply": "one entry of a server's list, which has it private",
        "OwnSettings": "a pair of settings that a session copies and compares",
        "Relay": "the answer to one call of the driver",
        "ServerLimits": "four numbers of the configuration",
        "SessionNumber": "a number, taken apart and put together",
        "StateInspection.Findings": "what one reply said, for its reader",
        "StatementMeaning": "a key, made once and compared",
        "UnitOfWork.Overdue": "what a log line says",
        "UnitOfWork.SingleStatement": "what was read from one statement, for its reader",
    ]

    /// Types that may have more stored properties than others.
    static let wide: [String: String] = [
        "Settings": "one property for each setting of the file, without a rule of its own"
    ]

    /// Types that may have more Booleans, or be option sets.
    static let booleans: [String: String] = [:]

    /// Folders whose picture ARCHITECTURE.md must show.
    static let pictured: Set<String> = []

    // MARK: The table, by file

    static let openFields: [String: Int] = [
        "Sources/ProxyCore/Pool/ServerConnection.swift": 39,
        "Sources/ProxyCore/Pool/ServerPool.swift": 7,
        "Sources/ProxyCore/Pooler/Pooler.swift": 32,
        "Sources/ProxyCore/Session/ClientSession.swift": 60,
        "Sources/ProxyCore/Session/PreparedStatements.swift": 4,
        "Sources/ProxyCore/Session/UnitOfWork.swift": 56,
    ]

    static let largeTypes: [String: Int] = [
        "Sources/ProxyCore/Pool/ServerConnection.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler.swift": 1,
        "Sources/ProxyCore/Session/ClientSession.swift": 1,
        "Sources/ProxyCore/Session/UnitOfWork.swift": 1,
    ]

    static let booleanStates: [String: Int] = [
        "Sources/ProxyCore/Pool/ServerConnection.swift": 1,
        "Sources/ProxyCore/Session/ClientSession.swift": 1,
        "Sources/ProxyCore/Session/UnitOfWork.swift": 1,
    ]

    /// One for each file of a circle.
    static let circles: [String: Int] = [
        "Sources/ProxyCore/Pooler/Pooler+Cancel.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+Clients.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+Dispatch.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+Failures.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+Gather.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+LocalAnswers.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+Login.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+Pass.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+Relay.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+Replication.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+Replies.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+Results.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+SQLStatements.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+Servers.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+Settle.swift": 1,
        "Sources/ProxyCore/Pooler/Pooler+Translate.swift": 1,
    ]
}
