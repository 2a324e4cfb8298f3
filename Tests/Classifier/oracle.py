# SPDX-License-Identifier: Apache-2.0
"""Judges the classifier by two oracles; `run` starts what it needs.

Standby: every statement is run on a hot standby, and none that the classifier sends to replicas
may be refused there. Of those that the standby takes, and that are not for the primary by rule
(`grammar.py`), the classifier must send at least 97 % to replicas.

Grammar: every statement is parsed by PostgreSQL's own parser, and none whose tree holds something
for the primary may be sent to replicas; counts and transaction commands must agree. The same is
asked of some thousand mangled statements, of those that still parse: pieces of one put into
another, which is how a scanner that is no parser is led astray.
"""

import argparse
import pathlib
import random
import re
import subprocess
import sys
from collections import Counter

import psycopg
from psycopg import pq

import grammar

SHARE = 0.97
# Would end the standby as a standby.
NEVER_RUN = re.compile("pg_promote", re.IGNORECASE)
REFUSED = re.compile("recovery|hot standby|standby|read-only transaction")


class Verdict:
    """What the classifier says of one text."""

    def __init__(self, line):
        (self.destination, self.reason, self.effects, count, transaction, schema, self.hint,
         self.control, self.command) = line.split("\t")
        self.count = int(count)
        self.transaction, self.schema = transaction == "transaction", schema == "schema"
        self.is_replica = self.destination == "replica"


class Standby:
    """Runs texts as a client would and tells what became of them."""

    def __init__(self, conninfo):
        self.conninfo = conninfo
        self.connection = None

    def run(self, text):
        """'accepted', 'refused' or 'failed', and the error."""
        if NEVER_RUN.search(text):
            return "failed", "not run"
        self.reset()
        pgconn = self.connection.pgconn
        data = text.encode()
        if re.search(r"\$[0-9]", text):
            result = pgconn.prepare(b"", data)
            if result.status == pq.ExecStatus.COMMAND_OK:
                count = pgconn.describe_prepared(b"").nparams
                result = pgconn.exec_prepared(b"", [None] * count)
            return self.judge([result])
        pgconn.send_query(data)
        results = []
        while (result := pgconn.get_result()) is not None:
            results.append(result)
            if result.status == pq.ExecStatus.COPY_OUT:
                while pgconn.get_copy_data(0)[0] > 0:
                    pass
            elif result.status == pq.ExecStatus.COPY_IN:
                pgconn.put_copy_end(b"nothing to copy")
            if len(results) > 100:
                break
        return self.judge(results)

    def judge(self, results):
        for result in results:
            if result.status in (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE):
                state = (result.error_field(pq.DiagnosticField.SQLSTATE) or b"").decode()
                message = (result.error_message or b"").decode()
                refused = state == "25006" or (
                    state in ("0A000", "55000") and REFUSED.search(message))
                return "refused" if refused else "failed", f"{state} {message.strip()}"
        return "accepted", ""

    def reset(self):
        if self.connection and self.connection.pgconn.status == pq.ConnStatus.OK:
            pgconn = self.connection.pgconn
            pgconn.exec_(b"ROLLBACK")
            if pgconn.exec_(b"DISCARD ALL").status == pq.ExecStatus.COMMAND_OK:
                pgconn.exec_(b"SET statement_timeout = '10s'")
                return
        self.connection = psycopg.connect(self.conninfo, autocommit=True)
        self.connection.add_notice_handler(lambda notice: None)
        self.connection.pgconn.exec_(b"SET client_min_messages = error")
        self.connection.pgconn.exec_(b"SET statement_timeout = '10s'")


def read_statements(folder):
    for path in sorted(folder.glob("*.sql")):
        if path.name != "schema.sql":
            for number, line in enumerate(path.read_text().split("\n")[:-1], 1):
                if not line.startswith("--#"):
                    yield f"{path.name}:{number}", line.replace("⏎", "\n")


def mangled(texts, count, seed):
    """Statements made of pieces of others, the same for the same seed."""
    generator = random.Random(seed)
    pieces = [re.findall(r"\s+|\w+|'[^']*'|\"[^\"]*\"|--[^\n]*\n|/\*.*?\*/|.", text, re.DOTALL)
              for text in texts]
    pieces = [piece for piece in pieces if piece]

    def slice_of(piece, longest):
        start = generator.randrange(len(piece))
        return piece[start:start + generator.randint(1, longest)]

    for _ in range(count):
        piece = list(generator.choice(pieces))
        for _ in range(generator.randint(1, 3)):
            place = generator.randrange(len(piece) + 1)
            end = place + generator.choice([0, 0, 1, 1, 2, 5])
            donor = slice_of(generator.choice(pieces), generator.choice([1, 1, 2, 4, 12]))
            piece[place:end] = donor if generator.random() < 0.8 else []
        yield "".join(piece).replace("\0", "")


def judge_mangled(options, catalogue_path, rules, texts):
    """Failures, and how many of the mangled statements parse."""
    made = [text for text in mangled(texts, options.mangled, options.seed) if grammar.parses(text)]
    failures = []
    for text, verdict in zip(made, classify(options, catalogue_path, made)):
        reason, complaints = rules.judge(text, verdict)
        if verdict.is_replica and reason:
            complaints.append(f"sent to a standby, but by rule it is for the primary: {reason}")
        failures += [f"mangled: {complaint}\n    {text!r}" for complaint in complaints[:1]]
    return failures, len(made)


def read_catalogue(options, connection):
    query = subprocess.run(
        [options.classify, "--catalogue-query"], check=True, capture_output=True, text=True).stdout
    connection.execute("SET jit = off")
    rows = sorted(f"{kind}\t{name}" for kind, name in connection.execute(query))
    return "".join(row + "\n" for row in rows)


def classify(options, catalogue_path, texts):
    data = b"".join(text.encode() + b"\0" for text in texts)
    out = subprocess.run(
        [options.classify, str(catalogue_path)], check=True, input=data, capture_output=True)
    return [Verdict(line) for line in out.stdout.decode().split("\n")[:-1]]


def main():
    parser = argparse.ArgumentParser()
    for name in ("classify", "host", "port", "statements"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--update", action="store_true")
    parser.add_argument("--verbose", action="store_true", help="name every read kept from replicas")
    parser.add_argument("--mangled", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=2)
    options = parser.parse_args()
    folder = pathlib.Path(options.statements)
    address = f"host={options.host} user=postgres dbname=app"
    primary = psycopg.connect(f"{address} port={options.port}", autocommit=True)
    failures = []
    passed = 0

    catalogue = read_catalogue(options, primary)
    catalogue_path = folder / "catalogue.tsv"
    if options.update:
        catalogue_path.write_text(catalogue)
    if catalogue_path.read_text() == catalogue:
        passed += 1
    else:
        failures.append("catalogue.tsv is not what the server says; run with --update and review")

    places, texts = zip(*read_statements(folder))
    verdicts = classify(options, catalogue_path, texts)
    if len(verdicts) != len(texts):
        sys.exit(f"{len(texts)} statements, {len(verdicts)} verdicts")
    rules = grammar.Rules(primary, catalogue)
    standby = Standby(f"{address} port={int(options.port) + 1}")
    in_recovery = psycopg.connect(standby.conninfo).execute("SELECT pg_is_in_recovery()")
    if not in_recovery.fetchone()[0]:
        sys.exit("the standby is none")

    outcomes = Counter()
    eligible, sent, kept, unsafe = 0, 0, [], 0
    for place, text, verdict in zip(places, texts, verdicts):
        outcome, error = standby.run(text)
        outcomes[outcome] += 1
        reason, complaints = rules.judge(text, verdict)
        if verdict.is_replica and outcome == "refused":
            complaints.append(f"sent to a standby, which says: {error}")
        if verdict.is_replica and reason and reason != grammar.NOT_PARSABLE:
            complaints.append(f"sent to a standby, but by rule it is for the primary: {reason}")
        unsafe += any(complaint.startswith("sent") for complaint in complaints)
        if outcome == "accepted" and not reason:
            eligible += 1
            sent += verdict.is_replica
            if not verdict.is_replica:
                kept.append(f"{place}: {verdict.reason}: {text!r}")
        passed += not complaints
        failures += [f"{place}: {complaint}\n    {text!r}" for complaint in complaints]

    wrong, judged = judge_mangled(options, catalogue_path, rules, texts)
    passed += judged - len(wrong)
    failures += wrong
    unsafe += sum("sent to a standby" in failure for failure in wrong)
    for failure in failures:
        print(f"FAILED {failure}")
    if options.verbose:
        print("\n".join(kept))
    share = sent / max(eligible, 1)
    print(f"statements: {len(texts)}; on the standby: {dict(outcomes)}")
    print(f"mangled statements that still parse: {judged} of {options.mangled}")
    print(f"unsafe: {unsafe}")
    print(f"share of eligible reads sent to replicas: {share:.1%} ({sent} of {eligible})")
    if share >= SHARE:
        passed += 1
    else:
        failures.append("the share is too low")
        print("FAILED the share is too low; --verbose names the statements")
    print(f"{passed} passed, {len(failures)} failed")
    sys.exit(1 if failures else 0)


main()
