# SPDX-License-Identifier: Apache-2.0
"""martlet and its peers: how each is configured, started and ended."""

import contextlib
import os
import shutil
import signal
import socket
import string
import subprocess
from pathlib import Path

from localcluster.cluster import home
from localcluster.processes import Failure, wait_until
from localcluster.proxy import Martlet

from .backend import PASSWORD, PEER_PORT
from .usage import of_session

POOL_SIZE = 20
TEMPLATES = Path(__file__).resolve().parents[1] / "peers"


def answers(port):
    """Whether somebody accepts connections on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class MartletProxy:
    """One martlet, with the settings that this comparison is about."""

    has_tls = True
    largest = 12000

    def __init__(self, context, name, number, shards=1, route="auto", users=()):
        self.name = name
        certificate, key = context.certificate
        changes = {
            "shards": shards,
            "routing": {"route": route},
            "clients": {"maximum": self.largest, "maximum_logging_in": self.largest},
            "pools": {"size": POOL_SIZE},
            "authentication": {"rules": [
                {"type": "host", "user": ["bench"], "method": "trust"},
                {"type": "host", "user": ["login"], "method": "scram-sha-256"},
            ], "users": list(users)},
            "client_tls": {"sslmode": "allow", "cert_file": str(certificate), "key_file": str(key)},
            "server_tls": {"sslmode": "disable"},
        }
        self.martlet = Martlet(context.cluster, context.binary, number, changes)
        self.port = self.martlet.port
        self.environment = {}

    @property
    def pid(self):
        """Its process."""
        return self.martlet.process.pid

    def start(self):
        """Starts it and waits until it is ready."""
        self.martlet.write_configuration()
        self.martlet.start(self.environment)

    def stop(self):
        """Ends it."""
        self.martlet.process.stop(seconds=10)

    def version(self):
        """What it says of itself."""
        done = subprocess.run([self.martlet.binary, "--version"], capture_output=True, text=True,
                              check=False)
        return done.stdout.strip()

    def configuration(self):
        """The file, for the report; without what a reader has no use for."""
        return {self.martlet.configuration.name: self.martlet.configuration.read_text()}


class Peer:
    """One of the others: files made of templates, and one command."""

    has_tls = True
    # More clients than this make no sense for it, or are beyond its limits.
    largest = 12000
    package = files = ()
    settings = {}

    def __init__(self, context, number):
        self.context = context
        self.port = PEER_PORT + number
        self.process = context.cluster.process(f"peer-{self.name}")
        self.directory = context.directory / self.name
        self.program = ""

    @property
    def pid(self):
        """The process that the others descend from."""
        return self.process.pid

    def values(self):
        """What the templates ask for."""
        certificate, key = self.context.certificate_of_peers
        cluster = self.context.cluster
        return {
            "port": self.port,
            "postgres_port": cluster.port_of(wait_until("a primary", cluster.primary, 60)),
            "directory": self.directory,
            "certificate": certificate,
            "key": key,
            "pool_size": POOL_SIZE,
            "password": PASSWORD,
            "secret": self.context.secret,
            **self.settings,
        }

    def start(self):
        """Writes the configuration, starts it and waits until it accepts connections."""
        self.process.stop(seconds=10)
        if answers(self.port):
            raise Failure(f"port {self.port} is in use; somebody else would be measured")
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        values = self.values()
        for name in self.files:
            text = string.Template((TEMPLATES / name).read_text()).substitute(values)
            (self.directory / name).write_text(text)
            (self.directory / name).chmod(0o600)
        self.context.give(self.directory)
        self.prepare()
        self.process.start(self.context.command(self.words()), self.context.host_user,
                           {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8",
                            "HOME": str(self.directory)})

        def ready():
            self.process.require_alive()
            return answers(self.port)

        wait_until(f"{self.name} to accept connections", ready, 30)

    def prepare(self):
        """What else has to be done before it starts."""

    def stop(self):
        """Ends it, and what it leaves behind: pgagroal's children may outlive it, at full speed."""
        self.process.stop(seconds=10)
        # It was started in a session of its own, which has its number.
        for pid in of_session(self.process.child.pid) if self.process.child else ():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def version(self):
        """What the package manager says."""
        return f"{self.name} {self.context.package_version(self.package)}"

    def configuration(self):
        """The files, for the report."""
        return {name: (self.directory / name).read_text() for name in self.files}


class PgBouncer(Peer):
    """Transaction pooling, one thread."""

    name, package = "pgbouncer", "pgbouncer"
    files = ("pgbouncer.ini", "pgbouncer_hba.conf", "pgbouncer_users.txt")

    def words(self):
        """Its command."""
        return ["pgbouncer", self.directory / "pgbouncer.ini"]


class Odyssey(Peer):
    """Transaction pooling, one worker."""

    name, package = "odyssey", "odyssey"
    files = ("odyssey.conf",)

    def words(self):
        """Its command."""
        return ["odyssey", self.directory / "odyssey.conf"]


class Pgagroal(Peer):
    """Its transaction pipeline; a process for each client."""

    name, package = "pgagroal", "pgagroal"
    files = ("pgagroal.conf", "pgagroal_hba.conf", "pgagroal_databases.conf")
    largest = 256

    def prepare(self):
        """Its file of users is encrypted by a tool of its own, with a key in the user's home."""
        key = ["sh", "-c", "rm -rf ~/.pgagroal; exec pgagroal-admin -g master-key"]
        self.context.run(key, self.directory)
        for user in ("bench", "login"):
            self.context.run(["pgagroal-admin", "-f", self.directory / "pgagroal_users.conf",
                              "-U", user, "-P", PASSWORD, "user", "add"], self.directory)

    def words(self):
        """Its command."""
        return ["pgagroal", "-c", self.directory / "pgagroal.conf",
                "-a", self.directory / "pgagroal_hba.conf",
                "-l", self.directory / "pgagroal_databases.conf",
                "-u", self.directory / "pgagroal_users.conf"]


class Pgpool(Peer):
    """A process, and a server of its own, for each client."""

    name, package = "pgpool", "pgpool2"
    files = ("pgpool.conf", "pool_hba.conf", "pgpool_passwd")
    largest = 64
    settings = {"clients": 72, "sr_check_period": 0}

    def __init__(self, context, number, backends=None):
        super().__init__(context, number)
        # (port, weight) of each node; by default the one primary.
        self.backends = backends

    def values(self):
        """The nodes as well."""
        values = super().values()
        nodes = self.backends or [(values["postgres_port"], 1)]
        lines = []
        for index, (port, weight) in enumerate(nodes):
            lines += [f"backend_hostname{index} = '127.0.0.1'", f"backend_port{index} = {port}",
                      f"backend_weight{index} = {weight}",
                      f"backend_flag{index} = 'DISALLOW_TO_FAILOVER'"]
        return {**values, "backends": "\n".join(lines)}

    def words(self):
        """Its command."""
        return ["pgpool", "-n", "-f", self.directory / "pgpool.conf",
                "-a", self.directory / "pool_hba.conf"]


class HAProxy(Peer):
    """A relay: no pooling, so that each client has a server of its own."""

    name, package = "haproxy", "haproxy"
    files = ("haproxy.cfg",)
    has_tls = False
    largest = 256

    def words(self):
        """Its command."""
        return ["haproxy", "-f", self.directory / "haproxy.cfg"]


PEERS = {kind.name: kind for kind in (PgBouncer, Odyssey, Pgagroal, Pgpool, HAProxy)}


class Context:
    """Where things are: the cluster, martlet's program, the peers' Debian, files and secrets."""

    def __init__(self, cluster, binary, peers_from, directory, client):
        self.cluster = cluster
        self.binary = Path(binary)
        self.directory = Path(directory)
        self.client = Path(client)
        self.root = home() / "peers/forky" if peers_from == "forky" else None
        # In the peers' Debian they run as its user postgres, else as ours.
        self.host_user = None if self.root else cluster.user
        self.secret = None
        self.certificate = self.certificate_of_peers = None

    def prepare(self):
        """Certificates and secrets, once the cluster runs."""
        self.certificate = self.cluster.authority.make("proxy")
        self.directory.chmod(0o755)
        copies = []
        for file in self.certificate:
            copies.append(self.directory / file.name)
            shutil.copy(file, copies[-1])
            copies[-1].chmod(0o600)
        self.certificate_of_peers = copies
        for file in copies:
            self.give(file)
        self.secret = self.cluster.secret("login")

    def account(self):
        """(user id, group id) of who runs the peers."""
        passwords = (self.root / "etc/passwd" if self.root else Path("/etc/passwd")).read_text()
        for line in passwords.splitlines():
            fields = line.split(":")
            if fields[0] == (self.host_user or "postgres"):
                return int(fields[2]), int(fields[3])
        raise Failure("there is no user to run the peers")

    def give(self, path):
        """Makes the peers' user the owner of a file, or of a directory and its files."""
        if os.geteuid() == 0:
            for one in [path, *(path.iterdir() if path.is_dir() else [])]:
                os.chown(one, *self.account())

    def command(self, words):
        """The command as it is run from here."""
        if not self.root:
            return words
        user, group = self.account()
        return ["chroot", f"--userspec={user}:{group}", "--groups=", self.root, *words]

    def run(self, words, directory):
        """Runs a tool of a peer to its end."""
        done = subprocess.run(
            [str(word) for word in self.command(words)], capture_output=True, text=True,
            check=False, timeout=60, cwd="/",
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(directory)},
            **({"user": self.host_user} if self.host_user and os.geteuid() == 0 else {}))
        if done.returncode != 0:
            raise Failure(f"{words[0]} failed:\n{done.stdout}{done.stderr}")

    def package_version(self, package):
        """What the package manager of the peers' Debian says."""
        words = ["dpkg-query", "-W", "-f=${Version}", package]
        if self.root:
            words.insert(1, f"--admindir={self.root}/var/lib/dpkg")
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        return done.stdout.strip() or "unknown"
