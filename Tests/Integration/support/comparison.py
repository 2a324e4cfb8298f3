# SPDX-License-Identifier: Apache-2.0
"""The same steps on two endpoints, answer by answer."""

from dataclasses import dataclass

from .statements import Step
from .wire import SYNC, TERMINATE, Wire, bind, close, execute, parse, rows, status

# What keeps a session on its server while no transaction is open.
HELD = """
SELECT EXISTS (SELECT FROM pg_catalog.pg_class
    WHERE relnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema())
  OR EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)
  OR EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory'
    AND pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())
  OR EXISTS (SELECT FROM pg_catalog.pg_listening_channels())
  OR EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql)
"""


@dataclass(frozen=True)
class Answer:
    """What a client can see of a step."""

    messages: tuple
    # Last seen ones.
    parameters: tuple

    def is_like(self, other):
        """Whether it is the same; of two errors in a failed transaction either may come.

        A server that has failed cannot be given a statement to describe it (Differences.md).
        """
        return self == other or (self.parameters == other.parameters
                                 and (self._is_refusal() or self._describes_in_failed())
                                 and other._is_refusal())

    def _describes_in_failed(self):
        return ([kind for kind, *_ in self.messages] == ["t", "n", "Z"]
                and self.messages[-1] == ("Z", "E"))

    def _is_refusal(self):
        return (len(self.messages) == 2 and self.messages[1] == ("Z", "E")
                and self.messages[0][:2] in (("E", "25P02"), ("E", "26000")))


class Session:
    """One client's connection."""

    def __init__(self, port, database, startup):
        self.address = (port, database, startup)
        self.wire = self._login()
        self.status = "I"

    def _login(self):
        port, database, startup = self.address
        return Wire(port).login(database=database, **startup)

    def perform(self, step):
        """The answer to a step; of a connection that ends, what it said last."""
        if step.how == "reconnect":
            self.leave()
            self.wire, self.status = self._login(), "I"
            return Answer((), self._parameters())
        self.wire.send(step.bytes())
        found = self.wire.rest_or_ready()
        for kind, body in found:
            if kind == b"S":
                name, setting = body.split(b"\0")[:2]
                self.wire.parameters[name.decode()] = setting.decode("latin-1")
        if found and found[-1][0] == b"Z":
            self.status = status(found)
        seen = [visible(kind, body) for kind, body in found if kind not in (b"S", b"A")]
        return Answer(tuple(seen), self._parameters())

    def holds(self):
        """Whether the session has what only its own server has. Asked by messages that leave the
        unnamed statement and portal alone."""
        answer = self.wire.ask(parse(HELD, "observer"), bind("observer", "observer"),
                               execute("observer"), close(b"S", "observer"), SYNC)
        return rows(answer) == [("t",)]

    def leave(self):
        """Ends it, and waits until it has ended."""
        self.wire.send(TERMINATE)
        self.wire.rest()
        self.wire.socket.close()

    def _parameters(self):
        """A martlet's server may be a standby."""
        return tuple(sorted(item for item in self.wire.parameters.items()
                            if item[0] != "in_hot_standby"))


def visible(kind, body):
    """A message as it must be the same, in words."""
    match kind:
        case b"E" | b"N":
            words = {part[:1]: part[1:] for part in body.split(b"\0") if part}
            return (kind.decode(), words[b"C"].decode(), words[b"M"].decode("latin-1"))
        case b"T":
            return ("T", *columns(body))
        case _:
            return (kind.decode(), body.decode("latin-1"))


def columns(body):
    """Name and type of each column; its table may have another number elsewhere."""
    count, offset = int.from_bytes(body[:2], "big"), 2
    for _ in range(count):
        end = body.index(b"\0", offset)
        kind = int.from_bytes(body[end + 7 : end + 11], "big")
        yield body[offset:end].decode("latin-1"), kind
        offset = end + 19


@dataclass(frozen=True)
class Difference:
    """The first answer that was not the same."""

    step: object
    expected: Answer
    found: Answer

    def is_documented(self):
        """Whether Differences.md says so; what comes after it cannot be
        compared. A Parse is no first query of a transaction."""
        late = ("E", "25001", "SET TRANSACTION ISOLATION LEVEL must be called before any query")
        return late in self.expected.messages and late not in self.found.messages

    def __str__(self):
        lines = [f"at {self.step}"]
        for name in ("messages", "parameters"):
            expected, found = getattr(self.expected, name), getattr(self.found, name)
            if expected != found:
                lines += [f"{name}, PostgreSQL:"] + [f"    {one}" for one in expected]
                lines += [f"{name}, martlet:"] + [f"    {one}" for one in found]
        return "\n".join(lines)


class Comparison:
    """Two clients of PostgreSQL, and two of martlet that do the same."""

    def __init__(self, direct, proxied, startups):
        self.pairs = [(Session(*direct, startup), Session(*proxied, startup))
                      for startup in startups]
        # The client that holds the only server of the primary.
        self.holder = None

    def run(self, steps):
        """The first difference that is not documented, or None.

        What a client would wait for while the other holds the only server, it does later: when
        the other is free again, or is made to be."""
        left = list(steps)
        try:
            while left:
                step = next((one for one in left if self.holder in (None, one.client)), None)
                if step is None:
                    difference = self._free(self.holder)
                else:
                    left.remove(step)
                    difference = self._perform(step)
                if difference:
                    return None if difference.is_documented() else difference
            return None
        finally:
            for session in [one for pair in self.pairs for one in pair]:
                session.leave()

    def _free(self, client):
        """Ends what holds a server."""
        for text in ("ROLLBACK", "DISCARD ALL"):
            difference = self._perform(Step(client, "query", (("run", text),)))
            if difference:
                return difference
        assert self.holder is None, "DISCARD ALL leaves nothing"
        return None

    def _perform(self, step):
        direct, proxied = self.pairs[step.client]
        # A BEGIN by itself takes no server.
        is_deferred = self.holder is None and direct.status == "I" and step.begins()
        expected = direct.perform(step)
        found = proxied.perform(step)
        if not expected.is_like(found):
            return Difference(step, expected, found)
        if direct.holds() if direct.status == "I" else not is_deferred:
            self.holder = step.client
        elif self.holder == step.client:
            self.holder = None
        return None


def smallest(steps, fails):
    """Fewest steps, with fewest parts, that still fail."""
    shrunk = True
    while shrunk:
        shrunk = False
        for smaller in candidates(steps):
            if fails(smaller):
                steps, shrunk = smaller, True
                break
    return steps


def candidates(steps):
    """The steps without one of them, or without a part of one."""
    for index, step in enumerate(steps):
        yield steps[:index] + steps[index + 1:]
        for smaller in step.smaller():
            yield steps[:index] + [smaller] + steps[index + 1:]
