// SPDX-License-Identifier: Apache-2.0

internal import StatementClassifier

/// The SQL that reads a `Catalogue` from a primary of PostgreSQL 14 to 18.
///
/// One read-only query, one row `(kind text, name text)` a fact, names as `schema.name`:
///
/// | kind | meaning |
/// | --- | --- |
/// | `volatile` | function that may write, or hides something that a standby refuses |
/// | `safe` | function that only reads |
/// | `stateful` | volatile function that leaves state in the session |
/// | `unlogged` | unlogged table, or a parent of one |
/// | `unsafe` | view, table or type that hides any of these; foreign table; sequence |
/// | `operator` | operator (bare name) that stands for a volatile function |
///
/// How it finds what is hidden: it builds a graph of who uses whom and walks it backwards from
/// what is bad in itself. Views, policies, domain checks, casts, aggregates and operators are
/// followed by identifiers out of their stored trees, which `pg_depend` has not for PostgreSQL's
/// own functions. Bodies of functions are text to PostgreSQL too, so they are split into words,
/// and a word that is the name of something bad counts as its use.
///
/// Not seen: SQL that a function puts together at run time, functions in C, implicit casts, and
/// volatile operators whose name PostgreSQL itself uses (`=`): the standby refuses those, and
/// the statement runs again on the primary.
package enum CatalogueQueries {
    /// Takes about 20 ms on a small database, without JIT: estimates of recursive queries are so
    /// high that compiling the plan would take a hundred times as long as running it.
    package static let snapshot = """
        WITH RECURSIVE
        namespace AS MATERIALIZED (
            SELECT oid, nspname FROM pg_catalog.pg_namespace
            WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'
        ),
        harmless(name) AS (VALUES \(values(harmlessFunctions))),
        dangerous(name) AS (VALUES \(values(PrimaryNames.functions))),
        node_relation(name) AS (VALUES \(values(PrimaryNames.relations))),
        \(functions),
        \(relations),
        \(trees),
        \(graph)
        \(facts)
        """

    /// Volatile functions of the extensions that come with PostgreSQL, which any server may run.
    private static let harmlessFunctions = [
        "uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4", "gen_random_bytes",
        "gen_random_uuid", "gen_salt", "normal_rand", "pg_freespace", "pgstattuple",
    ]

    private static func values(_ names: [String]) -> String {
        names.map { "('\($0)')" }.joined(separator: ",")
    }

    /// The user's functions, and the words of their bodies.
    private static let functions = """
        function AS MATERIALIZED (
            SELECT p.oid, n.nspname, p.proname, p.prokind, l.lanname,
                   p.provolatile = 'v' AND NOT (d.objid IS NOT NULL AND h.name IS NOT NULL)
                       AS is_volatile,
                   CASE WHEN l.lanname IN ('c', 'internal') THEN ''
                        WHEN p.prosqlbody IS NOT NULL
                            THEN pg_catalog.lower(pg_catalog.pg_get_function_sqlbody(p.oid))
                        ELSE pg_catalog.lower(p.prosrc) END AS body
            FROM pg_catalog.pg_proc p
            JOIN namespace n ON n.oid = p.pronamespace
            JOIN pg_catalog.pg_language l ON l.oid = p.prolang
            LEFT JOIN pg_catalog.pg_depend d ON d.objid = p.oid AND d.deptype = 'e'
                AND d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
            LEFT JOIN harmless h ON h.name = p.proname
            WHERE p.prokind <> 'p' AND p.prorettype <> ALL (
                '{pg_catalog.trigger,pg_catalog.event_trigger}'::pg_catalog.regtype[])
        ),
        word AS MATERIALIZED (
            SELECT DISTINCT f.oid, w.word
            FROM function f, LATERAL pg_catalog.string_to_table(pg_catalog.translate(
                f.body, E' \\t\\r\\n\\f().,;:=<>+-*/%!|&^~@#?[]{}"''',
                '                                  '), ' ') AS w(word)
            WHERE w.word <> ''
        )
        """

    /// The user's relations that are no temporary ones.
    private static let relations = """
        relation AS MATERIALIZED (
            SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence
            FROM pg_catalog.pg_class c JOIN namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND c.relpersistence <> 't'
        )
        """

    /// Stored expression trees, and the functions and relations that they name.
    private static let trees = """
        tree AS MATERIALIZED (
            SELECT 'r' AS kind, r.ev_class AS oid, r.ev_action::pg_catalog.text AS body
            FROM pg_catalog.pg_rewrite r JOIN relation v ON v.oid = r.ev_class
            WHERE v.relkind = 'v' AND r.ev_type = '1'
            UNION ALL
            SELECT 'r', polrelid, polqual::pg_catalog.text FROM pg_catalog.pg_policy
            WHERE polcmd IN ('r', '*') AND polqual IS NOT NULL
            UNION ALL
            SELECT 't', contypid, conbin::pg_catalog.text FROM pg_catalog.pg_constraint
            WHERE contypid <> 0 AND conbin IS NOT NULL
        ),
        tree_function AS MATERIALIZED (
            SELECT DISTINCT t.kind, t.oid, m.match[1]::pg_catalog.oid AS used
            FROM tree t, LATERAL pg_catalog.regexp_matches(
                t.body, ':(?:funcid|opfuncid|aggfnoid|winfnoid) ([0-9]+)', 'g') AS m(match)
        ),
        tree_relation AS MATERIALIZED (
            SELECT DISTINCT t.kind, t.oid, m.match[1]::pg_catalog.oid AS used
            FROM tree t, LATERAL pg_catalog.regexp_matches(
                t.body, ':relid ([0-9]+)', 'g') AS m(match)
        )
        """

    /// Edges from user to used, what is bad in itself, and all that reaches it.
    private static let graph = """
        edge(kind, oid, used_kind, used) AS MATERIALIZED (
            SELECT kind, oid, 'f', used FROM tree_function
            UNION ALL SELECT kind, oid, 'r', used FROM tree_relation
            UNION ALL SELECT 'f', w.oid, 'f', f.oid
            FROM word w JOIN function f ON pg_catalog.lower(f.proname) = w.word AND f.oid <> w.oid
            UNION ALL SELECT 'f', w.oid, 'r', r.oid
            FROM word w JOIN relation r ON pg_catalog.lower(r.relname) = w.word
            UNION ALL SELECT 'r', inhparent, 'r', inhrelid FROM pg_catalog.pg_inherits
            UNION ALL SELECT 'f', a.aggfnoid::pg_catalog.oid, 'f', s.used
            FROM function f JOIN pg_catalog.pg_aggregate a ON a.aggfnoid = f.oid,
                LATERAL (VALUES (a.aggtransfn::pg_catalog.oid), (a.aggfinalfn::pg_catalog.oid))
                    AS s(used)
            UNION ALL SELECT 't', casttarget, 'f', castfunc
            FROM pg_catalog.pg_cast WHERE castfunc <> 0
            UNION ALL SELECT 't', t.oid, 'f', t.typinput
            FROM pg_catalog.pg_type t JOIN namespace n ON n.oid = t.typnamespace
            WHERE t.typtype = 'b'
            UNION ALL SELECT 'o', o.oid, 'f', o.oprcode
            FROM pg_catalog.pg_operator o JOIN namespace n ON n.oid = o.oprnamespace
        ),
        bad(kind, oid) AS (
            (SELECT 'f', oid FROM function WHERE is_volatile
             UNION SELECT 'f', w.oid FROM word w JOIN dangerous d ON d.name = w.word
             UNION SELECT 'f', p.oid FROM pg_catalog.pg_proc p
             JOIN dangerous d ON d.name = p.proname
             WHERE p.pronamespace = 'pg_catalog'::pg_catalog.regnamespace
             UNION SELECT 'r', oid FROM relation WHERE relpersistence = 'u' OR relkind IN ('f', 'S')
             UNION SELECT 'r', oid FROM tree WHERE kind = 'r' AND body ~ ':hasForUpdate true'
             UNION SELECT 'r', c.oid FROM pg_catalog.pg_class c
             WHERE c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace
                 AND (c.relname ~ '^pg_stat(io)?_'
                     OR c.relname IN (SELECT name FROM node_relation)))
            UNION
            SELECT e.kind, e.oid FROM bad b JOIN edge e ON e.used_kind = b.kind AND e.used = b.oid
        ),
        unlogged(oid) AS (
            SELECT oid FROM relation WHERE relpersistence = 'u'
            UNION SELECT i.inhparent FROM unlogged u JOIN pg_catalog.pg_inherits i
                ON i.inhrelid = u.oid
        ),
        stateful(oid) AS (
            SELECT oid FROM function WHERE body ~ '\(statefulBody)'
                OR (lanname = 'c' AND proname ~ '^(dblink_(connect|open|disconnect)|set_limit$)')
            UNION SELECT e.oid FROM stateful s JOIN edge e
                ON e.used_kind = 'f' AND e.used = s.oid AND e.kind = 'f'
        )
        """

    /// What in a body leaves state behind; a `SET` only where a statement can begin.
    private static let statefulBody =
        "set_config|advisory_(un)?lock|setseed|\\mtemp(orary)?\\M|\\m(un)?listen\\M"
        + "|(^|;|\\m(begin|then|else|loop)\\M)\\s*(set|reset|discard|prepare|load)\\s"

    private static let facts = """
        SELECT CASE WHEN pg_catalog.bool_or(b.oid IS NOT NULL) THEN 'volatile' ELSE 'safe' END
                   AS kind,
               f.nspname || '.' || f.proname AS name
        FROM function f LEFT JOIN bad b ON b.kind = 'f' AND b.oid = f.oid
        GROUP BY f.nspname, f.proname
        UNION ALL
        SELECT DISTINCT 'stateful', f.nspname || '.' || f.proname
        FROM stateful s JOIN function f ON f.oid = s.oid
        UNION ALL
        SELECT CASE WHEN u.oid IS NOT NULL THEN 'unlogged' ELSE 'unsafe' END,
               r.nspname || '.' || r.relname
        FROM bad b JOIN relation r ON b.kind = 'r' AND r.oid = b.oid
        LEFT JOIN unlogged u ON u.oid = r.oid
        WHERE r.relkind <> 'm' OR u.oid IS NOT NULL
        UNION ALL
        SELECT DISTINCT 'unsafe', n.nspname || '.' || t.typname
        FROM bad b JOIN pg_catalog.pg_type t ON b.kind = 't' AND t.oid = b.oid
        JOIN namespace n ON n.oid = t.typnamespace
        UNION ALL
        SELECT DISTINCT 'operator', o.oprname
        FROM bad b JOIN pg_catalog.pg_operator o ON b.kind = 'o' AND o.oid = b.oid
        WHERE NOT EXISTS (
            SELECT FROM pg_catalog.pg_operator s WHERE s.oprname = o.oprname
                AND s.oprnamespace = 'pg_catalog'::pg_catalog.regnamespace)
        """
}
