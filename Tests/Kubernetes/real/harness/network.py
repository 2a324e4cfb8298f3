# SPDX-License-Identifier: Apache-2.0
"""A bridge, a network namespace for each pod, and the cluster's names.

Each pod has an address of its own, so that the ports of the rendered manifests need no change.
"""

import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import threading
import time

from .settings import SLOT

BRIDGE = f"mlk8s{SLOT}"
PREFIX = f"10.231.{77 + SLOT}"
GATEWAY = f"{PREFIX}.1"


def ip(*arguments, check=True):
    """Runs `ip`."""
    return subprocess.run(["ip", *arguments], check=check, capture_output=True, text=True)


def sweep():
    """Removes what an earlier, killed run has left: processes of its namespaces, then those."""
    for line in ip("netns", "list", check=False).stdout.splitlines():
        name = line.split()[0] if line.split() else ""
        if name.startswith(f"{BRIDGE}-"):
            remove_namespace(name)
    if ip("link", "show", BRIDGE, check=False).returncode == 0:
        ip("link", "delete", BRIDGE, check=False)


def remove_namespace(name):
    """With whatever still runs in it; nothing else can."""
    for _ in range(50):
        pids = ip("netns", "pids", name, check=False).stdout.split()
        if not pids:
            break
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        time.sleep(0.1)
    ip("netns", "delete", name, check=False)


class Network:
    """The bridge, and addresses that are not used twice in a run."""

    def __init__(self):
        sweep()
        self._last = 9
        ip("link", "add", BRIDGE, "type", "bridge")
        ip("address", "add", f"{GATEWAY}/24", "dev", BRIDGE)
        ip("link", "set", BRIDGE, "up")

    def add(self):
        """(namespace, address) for one pod."""
        self._last += 1
        name, address = f"{BRIDGE}-{self._last}", f"{PREFIX}.{self._last}"
        outside = f"mlk{SLOT}-{self._last}"
        ip("netns", "add", name)
        ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("link", "set", outside, "master", BRIDGE, "up")
        ip("-n", name, "address", "add", f"{address}/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "link", "set", "lo", "up")
        return name, address

    @staticmethod
    def remove(namespace):
        """A pod's namespace, when the pod is gone."""
        remove_namespace(namespace)

    @staticmethod
    def cut(namespace):
        """As if the node had lost its network."""
        ip("-n", namespace, "link", "set", "eth0", "down")

    @staticmethod
    def stop():
        """Removes everything."""
        sweep()


class Names(threading.Thread):
    """The cluster's DNS: A records of Services, by a function from names to addresses.

    A Service with an address of its own is answered with its pods' addresses instead; nobody here
    can tell the difference but by keeping an answer, for which its time to live is nothing.
    """

    def __init__(self, resolve):
        super().__init__(daemon=True)
        self._resolve = resolve
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((GATEWAY, 53))
        self.start()

    def run(self):
        while True:
            try:
                query, client = self._socket.recvfrom(512)
            except OSError:
                return
            with contextlib.suppress(Exception):
                self._socket.sendto(self.answer(query), client)

    def stop(self):
        """Ends the server."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def answer(self, query):
        """The answer to one query, RFC 1035."""
        number, flags = struct.unpack("!HH", query[:4])
        labels, place = [], 12
        while query[place]:
            labels.append(query[place + 1:place + 1 + query[place]].decode())
            place += query[place] + 1
        question = query[12:place + 5]
        kind = struct.unpack("!H", query[place + 1:place + 3])[0]
        addresses = self._resolve(".".join(labels).lower())
        code = 3 if addresses is None else 0
        found = list(addresses or []) if kind == 1 else []
        random.shuffle(found)
        header = struct.pack("!HHHHHH", number, 0x8480 | (flags & 0x0100) | code,
                             1, len(found), 0, 0)
        records = b"".join(
            struct.pack("!HHHIH", 0xC00C, 1, 1, 0, 4) + socket.inet_aton(address)
            for address in found)
        return header + question + records
