# SPDX-License-Identifier: Apache-2.0
"""martlet in front of a local cluster: its account, its configuration and its process."""

import os
import signal
import subprocess
from pathlib import Path

import yaml
from psycopg import sql

from .cluster import http
from .processes import Failure, wait_until


class Martlet:
    """One martlet of a cluster; number 0 has the cluster's own ports, others the next ones."""

    def __init__(self, cluster, binary, number=0, changes=None):
        name = f"martlet{number or ''}"
        self.cluster = cluster
        self.binary = Path(binary) if binary else None
        self.process = cluster.process(name)
        self.configuration = cluster.directory / f"{name}.yaml"
        self.port = cluster.settings.ports.martlet + number
        self.http_port = cluster.settings.ports.http + number
        self.url = f"http://127.0.0.1:{self.http_port}"
        self.changes = changes or {}

    def create_account(self):
        """The service account: no superuser, it may look up secrets and see replication."""
        with self.cluster.connect() as connection:
            connection.execute(self._setup_script())
            connection.execute(
                sql.SQL("ALTER ROLE martlet LOGIN PASSWORD {}").format(
                    sql.Literal(self.cluster.settings.passwords["martlet"])
                )
            )

    def write_configuration(self, changes=None):
        """Writes the YAML file: the few settings that suffice, and what `changes` adds."""
        cluster = self.cluster
        nodes = range(cluster.settings.nodes)
        settings = {
            "patroni": {"urls": [cluster.patroni_url(index) for index in nodes]},
            "service": {"user": "martlet", "password": cluster.settings.passwords["martlet"]},
            "listen": f"127.0.0.1:{self.port}",
            "http": {"listen": f"127.0.0.1:{self.http_port}"},
        }
        merge(settings, self.changes)
        merge(settings, changes or {})
        self.configuration.touch(mode=0o600)
        self.configuration.chmod(0o600)
        self.configuration.write_text(yaml.safe_dump(settings, sort_keys=False))

    def start(self, environment=None):
        """Starts it and waits until it is ready."""
        if not os.access(self.binary, os.X_OK):
            raise Failure(f"{self.binary} is not there; build martlet first")
        variables = {key: value for key, value in os.environ.items() if "MARTLET" not in key}
        # A trap in a release build says nothing of its own; the log shall tell where it was.
        variables.setdefault("SWIFT_BACKTRACE", "enable=yes,color=no,interactive=no,threads=all")
        variables.update(environment or {})
        self.process.start(
            [self.binary, "serve", "--config", self.configuration], environment=variables
        )
        self.wait_ready()

    def wait_ready(self, seconds=60):
        """Waits for /readyz."""

        def ready():
            self.process.require_alive()
            return http(f"{self.url}/readyz")[0] == 200

        wait_until("martlet to be ready", ready, seconds)

    def stop(self):
        """Ends it; clients get the time that they need, within limits."""
        self.process.stop(seconds=45)

    def reload(self):
        """Makes it read its configuration again."""
        self.process.send(signal.SIGHUP)

    def _setup_script(self):
        """The SQL that `martlet setup` prints for an operator."""
        done = subprocess.run(
            [self.binary, "setup"], capture_output=True, text=True, check=False, timeout=60
        )
        if done.returncode != 0:
            raise Failure(f"{self.binary} setup failed:\n{done.stderr}")
        return done.stdout


def merge(settings, changes):
    """Puts nested `changes` into `settings`; None takes a key away."""
    for key, value in changes.items():
        if value is None:
            settings.pop(key, None)
        elif isinstance(value, dict) and isinstance(settings.get(key), dict):
            merge(settings[key], value)
        else:
            settings[key] = value


def create_demo_user(cluster):
    """User demo, password demo, database demo."""
    for role in cluster.run("SELECT 1 FROM pg_roles WHERE rolname = 'demo'") or [None]:
        if role is None:
            cluster.run("CREATE ROLE demo LOGIN PASSWORD 'demo'")
    if not cluster.run("SELECT 1 FROM pg_database WHERE datname = 'demo'"):
        cluster.run("CREATE DATABASE demo OWNER demo")
