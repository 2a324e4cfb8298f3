// SPDX-License-Identifier: Apache-2.0

/// The exceptions to the rules; each list may shrink without a word and grow only with a reason.
enum AllowLists {
    /// What a target may import beside its own neighbours; a target that is absent may import all
    /// but `controlledModules`.
    static let imports: [String: Set<String>] = [
        "PostgresWire": [],
        "StatementClassifier": [],
        "ProxyCore": ["PostgresWire", "StatementClassifier", "COpenSSL", "DequeModule"],
        "ProxyConfiguration": [
            "ProxyCore", "StatementClassifier", "Yams", "Foundation", "FoundationEssentials", "Glibc",
        ],
        "martlet": [
            "ProxyRuntime", "ProxyConfiguration", "ProxyCore", "StatementClassifier",
            "ArgumentParser", "Logging", "Foundation", "Glibc",
        ],
        "ProxyRuntime": [
            "ProxyCore", "ProxyConfiguration", "PostgresWire", "StatementClassifier", "CLinux",
            "CLibpq", "COpenSSL", "CCurl", "DequeModule", "Logging", "Dispatch", "Foundation",
            "Glibc", "Synchronization",
        ],
    ]

    /// Modules that only a target which lists them may import.
    static let controlledModules: Set<String> = [
        "Dispatch", "Synchronization", "CLinux", "CLibpq", "CCurl", "COpenSSL",
    ]

    /// Folders and files in which `unsafe` may appear: bytes, system calls and C libraries.
    static let unsafePlaces: [String] = []

    /// Types that are confined by a queue instead of by the compiler.
    static let unchecked: Set<String> = []

    /// Files named for what they hold together instead of for one type.
    static let collections: Set<String> = []

    /// Files beyond the length limit: generated tables.
    static let longFiles: Set<String> = []
}
