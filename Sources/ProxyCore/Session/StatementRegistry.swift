// SPDX-License-Identifier: Apache-2.0

internal import PostgresWire
package import StatementClassifier

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

    /// The statement of a text that is known; takes no copy of the text.
    func find(_ definition: RawSpan, context: ParseContext) -> PreparedText? {
        guard let known = texts[hashing(definition) ^ context.hash],
            definition.equals(known.definition, in: 0..<definition.byteCount),
            known.context == context
        else { return nil }
        return known
    }

    package func intern(
        _ definition: [UInt8], textCount: Int, context: ParseContext,
        constants: [ParameterSet.Entry],
        classify: () -> (Classification, fingerprint: UInt64)
    ) -> PreparedText {
        let hash = hashing(definition) ^ context.hash
        if let known = texts[hash], known.definition == definition, known.context == context {
            return known
        }
        let (classification, fingerprint) = classify()
        let text = PreparedText(
            definition: definition, textCount: textCount, hash: hash, index: nextIndex,
            context: context, constants: constants, classification: classification, fingerprint: fingerprint)
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
