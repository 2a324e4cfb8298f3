# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL client that sends exactly the bytes that a test wants."""

import base64
import hashlib
import hmac
import os
import socket
import struct

from .endpoint import DATABASE, PASSWORD, USER

PROTOCOL_3_0 = 196608
PROTOCOL_3_2 = 196610


def message(kind, body=b""):
    """One message of the protocol."""
    return kind + struct.pack("!i", len(body) + 4) + body


def text(value):
    """A string as the protocol has it."""
    return value.encode() + b"\0"


def query(statement):
    """Query."""
    return message(b"Q", text(statement))


def parse(statement, name="", types=()):
    """Parse."""
    oids = b"".join(struct.pack("!I", oid) for oid in types)
    return message(b"P", text(name) + text(statement) + struct.pack("!h", len(types)) + oids)


def bind(name="", portal="", parameters=()):
    """Bind, with all parameters and results as text."""
    values = b""
    for value in parameters:
        data = None if value is None else str(value).encode()
        values += struct.pack("!i", -1 if data is None else len(data)) + (data or b"")
    counted = struct.pack("!hh", 0, len(parameters)) + values + struct.pack("!h", 0)
    return message(b"B", text(portal) + text(name) + counted)


def execute(portal="", rows=0):
    """Execute."""
    return message(b"E", text(portal) + struct.pack("!i", rows))


def describe(kind, name=""):
    """Describe of a statement (S) or a portal (P)."""
    return message(b"D", kind + text(name))


def close(kind, name=""):
    """Close of a statement (S) or a portal (P)."""
    return message(b"C", kind + text(name))


SYNC = message(b"S")
FLUSH = message(b"H")
TERMINATE = message(b"X")


def startup(parameters, version=PROTOCOL_3_0):
    """StartupMessage."""
    body = b"".join(text(key) + text(val) for key, val in parameters.items()) + b"\0"
    return struct.pack("!ii", len(body) + 8, version) + body


class Wire:
    """One socket."""

    def __init__(self, port, timeout=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.buffer = b""
        self.parameters = {}
        self.key = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, *parts):
        """Sends bytes as they are."""
        self.socket.sendall(b"".join(parts))

    def receive(self):
        """(kind, body) of the next message; None at the end of the stream."""
        header = self._exactly(5)
        if header is None:
            return None
        body = self._exactly(struct.unpack("!i", header[1:])[0] - 4)
        return None if body is None else (header[:1], body)

    def until(self, kind):
        """All messages up to and with one of this kind; fails at the end of the stream."""
        messages = []
        while not messages or messages[-1][0] != kind:
            found = self.receive()
            assert found is not None, f"the connection ended after {kinds(messages)}"
            messages.append(found)
        return messages

    def ready(self):
        """All messages up to ReadyForQuery."""
        return self.until(b"Z")

    def rest(self):
        """All messages to the end of the stream; a reset counts as the end."""
        messages = []
        try:
            while (found := self.receive()) is not None:
                messages.append(found)
        except ConnectionError:
            pass
        return messages

    def rest_or_ready(self):
        """All messages up to ReadyForQuery, or to the end of the stream."""
        messages = []
        try:
            while (found := self.receive()) is not None:
                messages.append(found)
                if found[0] == b"Z":
                    break
        except ConnectionError:
            pass
        return messages

    def ask(self, *parts):
        """Sends, and returns the messages up to ReadyForQuery."""
        self.send(*parts)
        return self.ready()

    def login(self, user=USER, password=PASSWORD, database=DATABASE, version=PROTOCOL_3_0,
              **parameters):
        """Start-up and SCRAM-SHA-256; all messages that came before ReadyForQuery."""
        self.send(startup({"user": user, "database": database, **parameters}, version))
        messages = self.authenticate(password)
        assert messages[-1][0] == b"Z", error(messages)
        for kind, body in messages:
            if kind == b"S":
                name, setting = body.split(b"\0")[:2]
                self.parameters[name.decode()] = setting.decode()
            elif kind == b"K":
                self.key = body
        return self

    def authenticate(self, password):
        """Answers SCRAM-SHA-256; everything received, up to ReadyForQuery, an error or the end."""
        messages, exchange = [], None
        while (found := self.receive()) is not None:
            messages.append(found)
            kind, body = found
            if kind in (b"Z", b"E"):
                break
            step = struct.unpack("!i", body[:4])[0] if kind == b"R" else 0
            if step == 10:
                exchange = Scram(password)
                first = exchange.first()
                self.send(message(b"p", text("SCRAM-SHA-256") + struct.pack("!i", len(first)) + first))
            elif step == 11:
                self.send(message(b"p", exchange.final(body[4:])))
            elif step == 12:
                assert exchange.verifies(body[4:]), "the server's signature is wrong"
        return messages

    def _exactly(self, count):
        while len(self.buffer) < count:
            data = self.socket.recv(max(65536, count - len(self.buffer)))
            if not data:
                return None
            self.buffer += data
        taken, self.buffer = self.buffer[:count], self.buffer[count:]
        return taken


class Scram:
    """The client's side of RFC 5802 with SHA-256."""

    def __init__(self, password):
        self.password = password.encode()
        self.bare = b"n=,r=" + base64.b64encode(os.urandom(18))
        self.signature = b""

    def first(self):
        """client-first-message."""
        return b"n,," + self.bare

    def final(self, server_first):
        """client-final-message."""
        fields = dict(part.split(b"=", 1) for part in server_first.split(b","))
        salt, rounds = base64.b64decode(fields[b"s"]), int(fields[b"i"])
        salted = hashlib.pbkdf2_hmac("sha256", self.password, salt, rounds)
        client_key = self._hmac(salted, b"Client Key")
        without_proof = b"c=biws,r=" + fields[b"r"]
        said = b",".join([self.bare, server_first, without_proof])
        signature = self._hmac(hashlib.sha256(client_key).digest(), said)
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self.signature = self._hmac(self._hmac(salted, b"Server Key"), said)
        return without_proof + b",p=" + base64.b64encode(proof)

    def verifies(self, server_final):
        """Whether the server knew the password, too."""
        return server_final == b"v=" + base64.b64encode(self.signature)

    @staticmethod
    def _hmac(key, data):
        return hmac.new(key, data, hashlib.sha256).digest()


def kinds(messages):
    """The messages' kinds as one string, but for ParameterStatus, which may come at any time."""
    return b"".join(kind for kind, _ in messages if kind != b"S").decode()


def fields(body):
    """The fields of an ErrorResponse or NoticeResponse by their letters."""
    return {part[:1].decode(): part[1:].decode() for part in body.split(b"\0") if part}


def error(messages):
    """The fields of the first ErrorResponse, or None."""
    return next((fields(body) for kind, body in messages if kind == b"E"), None)


def rows(messages):
    """All DataRows, as tuples of text."""
    return [row(body) for kind, body in messages if kind == b"D"]


def row(body):
    """One DataRow."""
    count, offset, values = struct.unpack("!h", body[:2])[0], 2, []
    for _ in range(count):
        length = struct.unpack("!i", body[offset : offset + 4])[0]
        offset += 4
        values.append(None if length < 0 else body[offset : offset + length].decode())
        offset += max(length, 0)
    return tuple(values)


def tags(messages):
    """All command tags."""
    return [body[:-1].decode() for kind, body in messages if kind == b"C"]


def status(messages):
    """The transaction status of the last ReadyForQuery."""
    return next(body.decode() for kind, body in reversed(messages) if kind == b"Z")
