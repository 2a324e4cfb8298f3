# SPDX-License-Identifier: Apache-2.0
"""The PostgreSQL that everything is measured against: a Patroni cluster of one node or of four."""

import subprocess

from localcluster.cluster import Cluster, Settings
from localcluster.ports import Ports
from localcluster.processes import Failure, wait_until
from psycopg import sql

# pgagroal has no room for a PostgreSQL port of five digits.
PORTS = Ports(martlet=16502, http=19502, postgres=9551, patroni=18101, etcd=12519, etcd_peer=12529)
PEER_PORT = 16550
# pgbench's unit of 100,000 accounts; 20 of them are 200 MB when copied out.
SCALE = 20
# Users: `bench` needs no password anywhere, `login` proves itself by SCRAM.
PASSWORD = "a-password-to-log-in-with"


class BenchCluster(Cluster):
    """A cluster with room for the measurements, and tags that can be changed."""

    def __init__(self, settings):
        super().__init__(settings)
        self.tags = {}

    @classmethod
    def make(cls, nodes):
        """One that is not running yet."""
        return cls(Settings("bench", PORTS, nodes=nodes))

    def _dynamic(self):
        dynamic = super()._dynamic()
        dynamic["postgresql"]["parameters"].update(max_connections=600)
        return dynamic

    def _postgresql(self, name, port):
        postgresql = super()._postgresql(name, port)
        # Everything fits into memory, and no commit waits for the disk: what is left is the proxy.
        postgresql["parameters"].update(
            shared_buffers="640MB", synchronous_commit="off", max_wal_size="4GB",
            checkpoint_timeout="30min", log_checkpoints="off", jit="off",
        )
        postgresql["pg_hba"].insert(0, "host bench bench,login 127.0.0.1/32 trust")
        return postgresql

    def _node(self, index):
        node = super()._node(index)
        node["tags"] = self.tags.get(self.names[index], {})
        return node

    def stop(self):
        """Ends the peers of a run that was killed, too."""
        for file in (self.directory / "pids").glob("peer-*.pid"):
            self.process(file.stem).stop(seconds=10)
        super().stop()

    def tag(self, name, tags):
        """Changes one node's Patroni tags."""
        self.tags[name] = tags
        index = self.names.index(name)
        self._write_node(index)
        status, text = self.rest(index, "/reload", {}, "POST", timeout=10)
        if status not in (200, 202):
            raise Failure(f"Patroni refused to reload: {status} {text}")

    def fill(self):
        """The users and pgbench's tables, on every node."""
        for user in ("bench", "login"):
            self.run(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                sql.Identifier(user), sql.Literal(PASSWORD)))
        self.run("GRANT pg_monitor TO bench")
        self.run("CREATE DATABASE bench OWNER bench")
        words = [self.binaries / "pgbench", "-i", "-q", "-s", str(SCALE)]
        self._run([*words, *self.address(self.port_of(self.primary())), "bench"])
        self.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO login", database="bench")
        self.run("VACUUM ANALYZE; CHECKPOINT", database="bench")
        self.wait_replayed()

    def run(self, statement, name=None, database="postgres", parameters=None):
        """As in `Cluster`; several statements each in a transaction of their own."""
        if isinstance(statement, str) and ";" in statement:
            for one in statement.split(";"):
                super().run(one, name, database, parameters)
            return []
        return super().run(statement, name, database, parameters)

    def secret(self, user):
        """The user's SCRAM secret, for peers that keep their own list of users."""
        statement = "SELECT rolpassword FROM pg_authid WHERE rolname = %s"
        return self.run(statement, parameters=(user,))[0][0]

    @staticmethod
    def address(port, user="bench"):
        """pgbench's words for where to connect."""
        return ["-h", "127.0.0.1", "-p", str(port), "-U", user]

    @staticmethod
    def _run(words):
        done = subprocess.run([str(word) for word in words], capture_output=True, text=True,
                              check=False, timeout=600)
        if done.returncode != 0:
            raise Failure(f"{words[0]} failed:\n{done.stderr}")

    def wait_members(self, condition, seconds=60):
        """Waits until what Patroni says of its members satisfies the condition."""
        wait_until("Patroni's members", lambda: condition(self.members()), seconds)
