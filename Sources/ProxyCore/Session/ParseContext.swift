// SPDX-License-Identifier: Apache-2.0

/// What a text means beside its words: who parses the same text under another context gets a
/// statement of its own.
///
/// PostgreSQL analyses a text at each Parse. A server that had analysed it before would refuse to
/// run it once its result has other columns ("cached plan must not change result type"), an error
/// that a client which has just parsed it would never see.
package struct ParseContext: Equatable {
    package var catalogueVersion = 0
    /// Counts what changed the schema of the database since.
    package var schemaVersion = 0
    /// Counts what made or dropped temporary objects of a session that has some, or might.
    package var temporaryVersion = 0
    /// Hash of the settings by which a text is parsed (`ParameterSet.parseSettingsHash`).
    package var parseSettingsHash = 0
    /// What its transaction may have changed of these before it, in a hash; 0 for nothing.
    package var changes: UInt64 = 0
    /// Which statements an EXECUTE in it may mean.
    package var sqlVersion = 0

    package init() {}

    var hash: UInt64 {
        var hasher = Hasher()
        hasher.combine(catalogueVersion)
        hasher.combine(schemaVersion)
        hasher.combine(temporaryVersion)
        hasher.combine(parseSettingsHash)
        hasher.combine(changes)
        hasher.combine(sqlVersion)
        return UInt64(truncatingIfNeeded: hasher.finalize())
    }
}
