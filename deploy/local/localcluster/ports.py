# SPDX-License-Identifier: Apache-2.0
"""Which loopback ports a cluster uses, and who has one that it wants."""

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from .processes import Failure, command_of


@dataclass(frozen=True)
class Ports:
    """The ports of one cluster; nodes count up from the first of theirs."""

    martlet: int
    http: int
    postgres: int
    patroni: int
    etcd: int
    etcd_peer: int

    def postgres_of(self, index):
        """The PostgreSQL port of node `index`, counted from 0."""
        return self.postgres + index

    def patroni_of(self, index):
        """The Patroni REST port of node `index`, counted from 0."""
        return self.patroni + index

    def all(self, nodes):
        """Every port with what it is for."""
        wanted = {
            self.martlet: "martlet",
            self.http: "martlet's HTTP endpoint",
            self.etcd: "etcd",
            self.etcd_peer: "etcd's peers",
        }
        for index in range(nodes):
            wanted[self.postgres_of(index)] = f"PostgreSQL of node {index + 1}"
            wanted[self.patroni_of(index)] = f"Patroni of node {index + 1}"
        return wanted


DEMO = Ports(martlet=6432, http=9432, postgres=5411, patroni=8011, etcd=23791, etcd_peer=23792)
TEST = Ports(martlet=16432, http=19432, postgres=15411, patroni=18011, etcd=12379, etcd_peer=12380)


def listener(port):
    """(inode, uid) of the socket that listens on the port on any address, or None."""
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                return fields[9], int(fields[7])
    return None


def owner(inode, uid):
    """Who holds the socket, in words; other users' processes cannot be seen by everybody."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            for descriptor in (process / "fd").iterdir():
                if os.readlink(descriptor) == f"socket:[{inode}]":
                    return f"process {process.name} ({command_of(process.name)[:100]})"
        except OSError:
            continue
    try:
        return f"a process of user {pwd.getpwuid(uid).pw_name}"
    except KeyError:
        return f"a process of user id {uid}"


def require_free(ports, nodes, skip=()):
    """Refuses, naming every port that is taken and by whom."""
    taken = []
    for port, purpose in ports.all(nodes).items():
        found = None if port in skip else listener(port)
        if found:
            taken.append(f"  port {port} (for {purpose}) is used by {owner(*found)}")
    if taken:
        raise Failure("ports are taken:\n" + "\n".join(taken))
