// SPDX-License-Identifier: Apache-2.0

/// What the rules of the structure do not hold for, each with a reason, and the table of what breaks
/// them today, which may only shrink.
enum StructureExceptions {
    /// Structs that are plain values: a copy of one may be read and changed by its owner.
    static let values: [String: String] = [
        "OwedReply": "one entry of a server's list, which has it private",
        "MartletSettings.Values": "the values at one time, which a transaction remembers",
        "Relay": "the answer to one call of the driver",
        "ServerLimits": "four numbers of the configuration",
        "SessionTransaction.Deeds": "what a unit may have done, added to a sum",
        "SessionNumber": "a number, taken apart and put together",
        "StateInspection.Findings": "what one reply said, for its reader",
        "ParseContext": "a key, made once and compared",
    ]

    /// Types of other folders that own their state; a field of one may be seen for its verbs.
    static let machinesElsewhere: [String: String] = [
        "ByteQueue": "bytes that wait, appended and consumed by its verbs",
        "SecretBytes": "a stream of secrets, advanced by its verb",
        "SessionPosition": "the floor of a session's reads, raised by its verbs",
        "ShardCounters": "counts for a scrape, by which nothing is decided",
        "SplitMix64": "a generator of numbers, advanced by its verb",
    ]

    /// Types that may have more stored properties than others.
    static let wide: [String: String] = [
        "ClientSession": "the machines of one client, side by side; it decides nothing itself",
        "Pooler": "the machines of one shard, side by side; its files perform what they decide",
        "Settings": "one property for each setting of the file, without a rule of its own"
    ]

    /// Types that may have more Booleans, or be option sets.
    static let booleans: [String: String] = [
        "UnitNeeds": "a sum of independent facts about statements, without transitions"
    ]

    /// Folders whose picture ARCHITECTURE.md must show.
    static let pictured: Set<String> = ["Sources/ProxyCore/Pooler"]

    // MARK: The table, by file

    static let openFields: [String: Int] = [:]

    static let largeTypes: [String: Int] = [:]

    static let booleanStates: [String: Int] = [:]

    /// One for each file of a circle.
    static let circles: [String: Int] = [:]
}
