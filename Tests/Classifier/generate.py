# SPDX-License-Identifier: Apache-2.0
"""Writes statements over Tests/Fixtures/statements/schema.sql, the same for the same seed.

Usage: generate.py [--seed N] [--count N] > ../Fixtures/statements/generated.sql

Most are reads of random shape. A part of them gets one thing that only the primary can do, put
where an expression, a relation or a clause is expected, because that is how writes hide. Spaces
and comments vary, because a lexer can lose its place in them.
"""

import argparse
import random

NUMERIC = ["id", "score", "length(name)", "coalesce(parent_id, 0)", "app.add_tax(score)"]
TEXTS = ["name", "email", "upper(name)", "profile->>'city'", "app.user_name(id)", "full_name(u)"]
BOOLEANS = ["active", "id > 3", "name LIKE 'u%'", "email IS NOT NULL", "tags @> ARRAY['a']",
            "id BETWEEN 2 AND 9", "EXISTS (SELECT FROM orders o WHERE o.user_id = u.id)",
            "id IN (1, 2, 3)", "profile ? 'age'", "(id, name) <> (1, 'x')"]
AGGREGATES = ["count(*)", "sum(score)", "avg(id)", "max(name)", "string_agg(name, ', ' ORDER BY id)",
              "count(*) FILTER (WHERE active)", "array_agg(DISTINCT id)", "plain_sum(id::int)",
              "bool_or(active)", "percentile_disc(0.5) WITHIN GROUP (ORDER BY score)"]
WINDOWS = ["row_number() OVER ({w})", "sum(score) OVER ({w})", "lag(id, 1) OVER ({w})",
           "rank() OVER (PARTITION BY (active) ORDER BY id)", "ntile(3) OVER ({w})"]
OPERATORS = ["+", "-", "*"]
SOURCES = ["users u", "public.users AS u", "ONLY users u", '"users" u', "(SELECT * FROM users) AS u",
           "users u TABLESAMPLE BERNOULLI (100)", "(TABLE users) u"]
JOINS = ["JOIN orders o ON o.user_id = u.id", "LEFT JOIN orders o ON (o.user_id = u.id)",
         "CROSS JOIN generate_series(1, 2) g(i)", "CROSS JOIN LATERAL unnest(u.tags) AS t(tag)",
         "LEFT JOIN app.totals t ON t.user_id = u.id", "JOIN active_users USING (id, name)",
         ", LATERAL (SELECT count(*) AS c FROM orders x WHERE x.user_id = u.id) l",
         "CROSS JOIN (VALUES (1, 'a'), (2, 'b')) v(n, s)", "JOIN daily d ON true",
         "CROSS JOIN LATERAL jsonb_each_text(u.profile) WITH ORDINALITY e(k, v, n)"]
LITERALS = ["1", "42", "1.5", "'x'", "E'a\\'b'", "$$it's$$", "$q$ ; $q$", "NULL", "DATE '2020-01-01'",
            "'for update'", "'nextval('", "U&'\\0061'", "interval '1 day'", "B'101'", "'--'", "'/*'"]
SPACES = [" ", " ", " ", " ", " ", " ", "  ", "\t", "\n", " /* c */ ", " /* ; ' */ ", " -- '\n",
          " /* a /* b */ c */ "]

# Each is accepted where its kind stands, and belongs to the primary.
BAD_NUMBERS = ["nextval('ticket')", "NEXTVAL ('public.ticket')", "pg_catalog.nextval('ticket')",
               '"nextval"(\'ticket\')', "txid_current()", "next_ticket()", "harmless_volatile(1)",
               "(SELECT n FROM numbered LIMIT 1)", "(SELECT count(*) FROM cache)",
               "pg_backend_pid() + lastval()", "volatile_step(1, 2)", "5::watched",
               "(SELECT m FROM app.over_numbered LIMIT 1)", "setval('ticket', 3)"]
BAD_TEXTS = ["audit.log('x')", "touch(u)", "u.touch", "app.remember('x')", "ticket_text()",
             "read_cache('k')", "pg_current_wal_lsn()::text", "pg_is_in_recovery()::text",
             "app.remember_all(name)", "(SELECT key FROM cached LIMIT 1)",
             "current_setting('transaction_read_only')"]
BAD_BOOLEANS = ["pg_try_advisory_lock(1)", "EXISTS (SELECT 1 FROM orders FOR UPDATE)",
                "name ~~! 'x'", "id IN (SELECT id FROM locked)", "pg_is_in_recovery()",
                "EXISTS (SELECT FROM app.queue)", "id = (SELECT nextval('ticket'))"]
BAD_ENDS = ["FOR UPDATE", "FOR SHARE OF u", "FOR NO KEY UPDATE SKIP LOCKED", "for key share nowait"]
BAD_CTES = ["d AS (DELETE FROM orders RETURNING id)", "i(x) AS (INSERT INTO orders (id) VALUES (99) RETURNING id)",
            "p AS MATERIALIZED (UPDATE users SET active = true RETURNING id)",
            "l AS (SELECT id FROM users FOR UPDATE)", "q AS (SELECT nextval('ticket'))",
            "c AS (SELECT * FROM cache)"]


class Maker:
    def __init__(self, seed):
        self.random = random.Random(seed)
        self.bad = None
        self.used = False

    def pick(self, items):
        return self.random.choice(items)

    def chance(self, share):
        return self.random.random() < share

    def take(self, kind, items):
        """The bad thing, when this is the place where it is to stand."""
        if self.bad == kind and not self.used and self.chance(0.7):
            self.used = True
            return self.pick(items)
        return None

    def number(self, depth=0):
        bad = self.take("number", BAD_NUMBERS)
        if bad:
            return bad
        if depth > 2 or self.chance(0.4):
            return self.pick(NUMERIC + ["1", "2.5", "-3"])
        form = self.random.randrange(5)
        if form == 0:
            return f"({self.number(depth + 1)} {self.pick(OPERATORS)} {self.number(depth + 1)})"
        if form == 1:
            return f"{self.pick(['abs', 'round', 'ceil', 'floor', 'sign'])}({self.number(depth + 1)})"
        if form == 2:
            return f"CASE WHEN {self.boolean(depth + 1)} THEN {self.number(depth + 1)} ELSE 0 END"
        if form == 3:
            return f"greatest({self.number(depth + 1)}, {self.number(depth + 1)})"
        return f"CAST({self.number(depth + 1)} AS numeric(20, 4))"

    def text(self, depth=0):
        bad = self.take("text", BAD_TEXTS)
        if bad:
            return bad
        if depth > 2 or self.chance(0.5):
            return self.pick(TEXTS + ["'x'", "E'a\\'b'", "$$it's$$"])
        form = self.random.randrange(4)
        if form == 0:
            return f"({self.text(depth + 1)} || {self.text(depth + 1)})"
        if form == 1:
            return f"{self.pick(['lower', 'md5', 'btrim', 'reverse'])}({self.text(depth + 1)})"
        if form == 2:
            return f"coalesce({self.text(depth + 1)}, {self.text(depth + 1)})"
        return f"substring({self.text(depth + 1)} FROM 1 FOR 3)"

    def boolean(self, depth=0):
        bad = self.take("boolean", BAD_BOOLEANS)
        if bad:
            return bad
        if depth > 2 or self.chance(0.5):
            return self.pick(BOOLEANS)
        form = self.random.randrange(4)
        if form == 0:
            return f"({self.boolean(depth + 1)} {self.pick(['AND', 'OR'])} {self.boolean(depth + 1)})"
        if form == 1:
            return f"NOT ({self.boolean(depth + 1)})"
        if form == 2:
            return f"{self.number(depth + 1)} {self.pick(['<', '>=', '<>', '='])} {self.number(depth + 1)}"
        return f"{self.text(depth + 1)} {self.pick(['=', '<>', 'LIKE', '~'])} {self.text(depth + 1)}"

    def columns(self):
        made = []
        for _ in range(self.random.randint(1, 4)):
            item = self.pick([self.number, self.text, self.boolean])()
            if self.chance(0.2):
                item = self.pick(LITERALS)
            if self.chance(0.15):
                item = self.pick(WINDOWS).format(w=self.pick(["ORDER BY u.id", "PARTITION BY active", ""]))
            if self.chance(0.2):
                item += self.pick([" AS c", " AS update", " AS into", ' AS "for"', " value"]) \
                    if not item.endswith("OVER ()") else ""
            made.append(item)
        return ", ".join(made)

    def query(self, depth=0):
        joins = [self.pick(JOINS)] if self.chance(0.35) else []
        ambiguous = any("active_users" in j or "orders" in j or "daily" in j for j in joins)
        if ambiguous:
            parts = ["SELECT", "u.id, u.name"]
        elif self.chance(0.2):
            parts = ["SELECT", f"active, {self.pick(AGGREGATES)}"]
        else:
            parts = ["SELECT", ("DISTINCT " if self.chance(0.1) else "") + self.columns()]
        grouped = parts[1].startswith("active, ")
        parts += ["FROM", self.pick(SOURCES), *joins]
        if self.chance(0.6) and not ambiguous or self.bad in ("number", "text", "boolean") and not self.used:
            condition = {"number": lambda: f"{self.number()} > 0", "text": lambda: f"{self.text()} = 'x'"}
            parts += ["WHERE", condition.get(self.bad, self.boolean)()]
        if grouped:
            parts += ["GROUP BY active"]
        elif self.chance(0.3) and "DISTINCT" not in parts[1]:
            parts += ["ORDER BY u.id" + self.pick(["", " DESC", " NULLS LAST"])]
        if self.chance(0.3):
            parts += [self.pick(["LIMIT 5", "OFFSET 1 LIMIT 2", "FETCH FIRST 3 ROWS ONLY"])]
        if self.bad == "end" and not self.used and not grouped:
            self.used = True
            parts += [self.pick(BAD_ENDS)]
        return " ".join(parts)

    def wrap(self, text):
        form = self.random.randrange(14)
        ctes = [self.pick(["a AS (SELECT 1 AS x)", "b(y) AS (VALUES (1), (2))",
                           "c AS MATERIALIZED (TABLE orders)", "r (n) AS (SELECT id FROM users)"])]
        if self.bad == "cte" and not self.used:
            self.used = True
            ctes.insert(self.random.randint(0, 1), self.pick(BAD_CTES))
            form = 0
        if form == 0:
            return f"WITH {', '.join(ctes)} {text}"
        if form == 1:
            return f"({text})"
        if form == 2:
            return f"SELECT count(*) FROM ({text}) s"
        if form == 3:
            return f"EXPLAIN (ANALYZE, COSTS off) {text}"
        if form == 4:
            return f"COPY ({text}) TO STDOUT"
        if form == 5:
            return f"BEGIN READ ONLY; {text}; COMMIT"
        if form == 6:
            return f"SET work_mem = '4MB'; {text}"
        if form == 7:
            return f"{text}; SELECT 1;"
        if form == 8:
            return f"PREPARE p AS {text}"
        if form == 9:
            return f"({text}) UNION ALL ({text})"
        return text

    def spaced(self, text):
        """Varies the spaces outside of constants."""
        if not self.chance(0.4):
            return text
        out, quote = [], None
        index = 0
        while index < len(text):
            letter = text[index]
            if quote:
                if text.startswith(quote, index):
                    out.append(quote)
                    index += len(quote)
                    quote = None
                    continue
                if letter == "\\" and quote == "'":
                    out.append(text[index:index + 2])
                    index += 2
                    continue
            elif letter in "'\"":
                quote = letter
            elif letter == "$" and text[index:index + 2] in ("$$", "$q"):
                quote = "$$" if text[index + 1] == "$" else "$q$"
                out.append(quote)
                index += len(quote)
                continue
            elif letter == " ":
                letter = self.pick(SPACES)
            out.append(letter)
            index += 1
        return "".join(out)

    def statement(self):
        share = self.random.random()
        self.used = False
        self.bad = None if share < 0.7 else self.pick(["number", "text", "boolean", "end", "cte"])
        return self.spaced(self.wrap(self.query()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--count", type=int, default=1800)
    options = parser.parse_args()
    maker = Maker(options.seed)
    print("--# Written by Tests/Classifier/generate.py; do not edit.")
    seen = set()
    while len(seen) < options.count:
        text = maker.statement().replace("\n", "⏎")
        if text not in seen:
            seen.add(text)
            print(text)


main()
