// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
package import StatementClassifier

/// A statement text with its parameter types, as the clients of a shard share it that mean the same.
package final class PreparedText {
    /// Text, its zero, and the parameter types, as they follow the name in a Parse.
    package let definition: [UInt8]
    package let hash: UInt64
    package let meaning: StatementMeaning
    /// The settings by which its constants were read; nil until its server has said so, where its
    /// transaction had changed some before.
    package private(set) var constants: [ParameterSet.Entry]?
    /// The name under which servers know it.
    package let canonicalName: [UInt8]
    /// Unique over all shards, because a server may move to another one.
    package let index: Int
    package private(set) var classification: Classification
    package private(set) var fingerprint: UInt64
    /// The catalogue by which it was classified.
    private(set) var catalogueVersion: Int
    /// For a command that martlet may have to read again (SET, SHOW): the text itself.
    package let textCount: Int

    init(
        definition: [UInt8], textCount: Int, hash: UInt64, index: Int, meaning: StatementMeaning,
        constants: [ParameterSet.Entry], classification: Classification, fingerprint: UInt64
    ) {
        self.definition = definition
        self.textCount = textCount
        self.hash = hash
        self.index = index
        self.classification = classification
        self.fingerprint = fingerprint
        self.meaning = meaning
        self.constants = meaning.changes == 0 ? constants : nil
        catalogueVersion = meaning.catalogueVersion
        canonicalName = Self.canonicalName(of: index)
    }

    /// It is classified by another catalogue.
    func reclassified(
        _ result: (classification: Classification, fingerprint: UInt64), catalogue version: Int
    ) {
        (classification, fingerprint) = result
        catalogueVersion = version
    }

    /// The settings by which its constants are read are known now.
    func learned(constants: [ParameterSet.Entry]?) { self.constants = constants }

    static func canonicalName(of index: Int) -> [UInt8] { Array("martlet_\(index)".utf8) }
}

/// What a text means beside its words: who parses the same text under another meaning gets a
/// statement of its own.
///
/// PostgreSQL analyses a text at each Parse. A server that had analysed it before would refuse to
/// run it once its result has other columns ("cached plan must not change result type"), an error
/// that a client which has just parsed it would never see.
package struct StatementMeaning: Equatable {
    package var catalogueVersion = 0
    /// Counts what changed the schema of the database since.
    package var schemaVersion = 0
    /// Counts what made or dropped temporary objects of a session that has some, or might.
    package var temporaryVersion = 0
    /// Of the settings by which it is read (`ParameterSet.reading`).
    package var reading = 0
    /// What its transaction may have changed of these before it, in a hash; 0 for nothing.
    package var changes: UInt64 = 0
    /// Which statements an EXECUTE in it may mean.
    package var sqlVersion = 0

    package init() {}

    fileprivate var hash: UInt64 {
        var hasher = Hasher()
        hasher.combine(catalogueVersion)
        hasher.combine(schemaVersion)
        hasher.combine(temporaryVersion)
        hasher.combine(reading)
        hasher.combine(changes)
        hasher.combine(sqlVersion)
        return UInt64(truncatingIfNeeded: hasher.finalize())
    }
}

/// Finds the one `PreparedText` of a text; bounded, the least recently parsed go first.
///
/// Dropping one here loses only the sharing: clients and servers that use it keep it alive.
package final class StatementRegistry {
    private var texts: [UInt64: PreparedText] = [:]
    private var order: [UInt64] = []
    private var oldest = 0
    private var nextIndex: Int
    private let limit: Int
    /// Longer ones are kept only by who uses them.
    private static let longestShared = 64 << 10
    private let hashing: ByteHash

    package init(shard: ShardID, hashing: ByteHash, limit: Int = 20_000) {
        nextIndex = shard.index << 40
        self.hashing = hashing
        self.limit = limit
    }

    package func intern(
        _ definition: [UInt8], textCount: Int, meaning: StatementMeaning,
        constants: [ParameterSet.Entry],
        classify: () -> (Classification, fingerprint: UInt64)
    ) -> PreparedText {
        let hash = hashing(definition) ^ meaning.hash
        if let known = texts[hash], known.definition == definition, known.meaning == meaning {
            return known
        }
        let (classification, fingerprint) = classify()
        let text = PreparedText(
            definition: definition, textCount: textCount, hash: hash, index: nextIndex,
            meaning: meaning, constants: constants, classification: classification, fingerprint: fingerprint)
        nextIndex += 1
        if definition.count <= Self.longestShared { remember(text) }
        return text
    }

    private func remember(_ text: PreparedText) {
        if texts[text.hash] != nil {
            // Another of the same hash.
        } else if texts.count >= limit {
            texts[order[oldest]] = nil
            order[oldest] = text.hash
            oldest = (oldest + 1) % order.count
        } else {
            order.append(text.hash)
        }
        texts[text.hash] = text
    }
}

/// The prepared statements of one client, by the names it gave them.
package struct ClientStatements {
    package struct Entry {
        package let name: [UInt8]
        package var text: PreparedText
        /// The columns of its result as the client was told; none where it was not, or there are none.
        package var columns = ResultColumns.unknown

        /// Whether a server that has these columns gives the client others than it expects.
        func isChanged(on server: ResultColumns) -> Bool {
            columns != .unknown && server != .unknown && server != columns
        }

        /// Whether a Describe would tell the client or martlet what they do not know.
        func isNews(on server: ResultColumns) -> Bool {
            server == .unknown || columns != server.expected
        }
    }

    /// A name, by its hash, and what it stands for, if anything.
    package struct Definition {
        package let hash: UInt64
        package let entry: Entry?
    }

    private var entries: [UInt64: Entry] = [:]

    package init() {}

    package var count: Int { entries.count }
    /// What their texts take, those that are shared with others included.
    package private(set) var byteCount = 0

    package func find(_ name: RawSpan, hash: UInt64) -> Entry? {
        guard let entry = entries[hash], name.equals(entry.name, in: 0..<name.byteCount) else {
            return nil
        }
        return entry
    }

    /// What a name of this hash stands for, if it is this text.
    package func entry(of index: Int, hash: UInt64) -> Entry? {
        guard let entry = entries[hash], entry.text.index == index else { return nil }
        return entry
    }

    /// The client is told what columns the statement has.
    package mutating func told(_ columns: ResultColumns, hash: UInt64) {
        entries[hash]?.columns = columns.expected
    }

    /// All names of a text stand for the same text with another meaning.
    package mutating func replace(_ text: PreparedText, with other: PreparedText) {
        for (hash, entry) in entries where entry.text === text { entries[hash]?.text = other }
    }

    package mutating func define(_ name: [UInt8], hash: UInt64, _ text: PreparedText) {
        remove(hash: hash)
        entries[hash] = Entry(name: name, text: text)
        byteCount += text.definition.count
    }

    package mutating func remove(hash: UInt64) {
        guard let removed = entries.removeValue(forKey: hash) else { return }
        byteCount -= removed.text.definition.count
    }

    /// What a name stands for now, to be put back if the server does not come to change it.
    package func definition(hash: UInt64) -> Definition {
        Definition(hash: hash, entry: entries[hash])
    }

    package mutating func restore(_ definition: Definition) {
        remove(hash: definition.hash)
        guard let entry = definition.entry else { return }
        entries[definition.hash] = entry
        byteCount += entry.text.definition.count
    }

    package mutating func removeAll(but kept: Set<UInt64> = []) {
        entries = entries.filter { kept.contains($0.key) }
        byteCount = entries.values.reduce(0) { $0 + $1.text.definition.count }
    }
}

/// A seeded hash of bytes; the seed keeps clients from choosing names that collide.
package struct ByteHash: Sendable {
    private let seed: UInt64
    /// The hash of the name that the unnamed statement has.
    package private(set) var unnamed: UInt64 = 0

    package init(seed: UInt64) {
        self.seed = seed
        unnamed = self([])
    }

    package func callAsFunction(_ bytes: [UInt8]) -> UInt64 { self(bytes.rawSpan) }

    package func callAsFunction(_ bytes: RawSpan) -> UInt64 {
        var hash = seed
        var offset = 0
        while offset + 8 <= bytes.byteCount {
            let word = unsafe bytes.unsafeLoadUnaligned(
                fromUncheckedByteOffset: offset, as: UInt64.self)
            hash = mix(hash ^ word)
            offset += 8
        }
        var tail = UInt64(bytes.byteCount)
        while offset < bytes.byteCount {
            tail = tail << 8 | UInt64(bytes.byte(at: offset))
            offset += 1
        }
        return mix(hash ^ tail)
    }

    /// A multiply folded onto itself, as in wyhash.
    private func mix(_ value: UInt64) -> UInt64 {
        let product = (value ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: 0xe703_7ed1_a0b4_28db)
        return product.high ^ product.low ^ value
    }
}
