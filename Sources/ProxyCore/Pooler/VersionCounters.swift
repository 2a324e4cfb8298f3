// SPDX-License-Identifier: Apache-2.0

/// Numbers that name a state of something, so that two equal ones mean the same state; unique over
/// the sessions and databases of a shard, never given twice.
struct VersionCounters {
    private var catalogue = 0
    private var temporaryObjects = 0
    private var sqlStatements = 0
    private var unsharedChanges: UInt64 = 0

    /// A catalogue of any database was replaced.
    mutating func nextCatalogue() -> Int {
        catalogue += 1
        return catalogue
    }

    /// The temporary objects of a session may have changed.
    mutating func nextTemporaryObjects() -> Int {
        temporaryObjects += 1
        return temporaryObjects
    }

    /// The statements that a session prepared by SQL have changed.
    mutating func nextSQLStatements() -> Int {
        sqlStatements += 1
        return sqlStatements
    }

    /// A statement is parsed after a change of settings in one pipeline, which no other session can
    /// have in common.
    mutating func nextUnsharedChange() -> UInt64 {
        unsharedChanges += 1
        return unsharedChanges
    }
}
