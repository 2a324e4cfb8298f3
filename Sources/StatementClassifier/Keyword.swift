// SPDX-License-Identifier: Apache-2.0

/// The words that the classifier acts on; every other keyword of PostgreSQL is `.other`.
///
/// The raw values are the words as they stand in SQL, in lower case.
enum Keyword: String, CaseIterable, Sendable {
    /// Not a keyword at all.
    case none = ""
    /// A keyword without a meaning here, but never a plain identifier.
    case other = " "
    case abort, all, alter, analyse, analyze, and, `as`, atomic, authorization
    case begin, binary, call, `case`, catalog, chain, characteristics, checkpoint, close
    case cluster, comment, commit, committed, constraints, copy, create, current, cursor
    case deallocate, declare, `default`, deferrable, delete, discard, distinct, `do`, drop
    case end, execute, explain, fetch, first, `for`, from, function, global, grant, hold
    case `import`, insert, into, isolation, key, level, listen, load, local, lock
    case materialized, merge, move, names, no, not, notify, off, on, only, `operator`, option
    case or, ordinality, plans, prepare, prepared, procedure, program
    case read, reassign, recursive, refresh, reindex, release, repeatable, replace, reset
    case revoke, role, rollback, rule, savepoint, schema, security, select, sequences
    case serializable, session, set, share, show, snapshot, start, stdin, stdout
    case table, temp, temporary, time, to, transaction, truncate, uncommitted, unlisten
    case unlogged, update, vacuum, values, verbose, view, with, without, work, write, xml, zone
    // Not keywords of the grammar, but names that mean something here.
    case pgTemp = "pg_temp"
    case pgCatalog = "pg_catalog"
    case informationSchema = "information_schema"
}

/// The category of a keyword: where the grammar allows it as a name (`pg_get_keywords().catcode`).
enum WordCategory: UInt8, Sendable {
    case identifier
    case unreserved
    /// May name a column, never a function: a parenthesis after it belongs to the grammar.
    case columnName
    case typeOrFunction
    case reserved
}
