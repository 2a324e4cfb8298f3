# SPDX-License-Identifier: Apache-2.0
"""All of it together: the API, names, and what controllers do with the rendered manifests."""

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import threading
import time
import urllib.request
from base64 import b64encode
from pathlib import Path

from .api import Api
from .image import Image
from .kubelet import Pod
from .manifests import Manifests
from .network import GATEWAY, Names, Network, sweep
from .rights import Rights
from .settings import PASSWORDS
from .store import Store, selects, timestamp

NAMESPACE = "databases"


def wait_until(what, check, seconds=60, pause=0.3):
    """Waits for a check to give something true, and returns it."""
    deadline = time.time() + seconds
    while True:
        found = check()
        if found:
            return found
        if time.time() > deadline:
            raise AssertionError(f"waited {seconds} s in vain for {what}")
        time.sleep(pause)


class Kube:
    """A cluster of machines that are all this one."""

    def __init__(self, directory, objects, major=18):
        self.directory = Path(directory)
        # What a killed run has left might still write.
        sweep()
        shutil.rmtree(self.directory, ignore_errors=True)
        for place in (self.directory, self.directory / "claims"):
            place.mkdir(parents=True)
            place.chmod(0o755)
        self.namespace = NAMESPACE
        self.domain = f"{NAMESPACE}.svc.cluster.local"
        self.manifests = Manifests(objects)
        self.store = Store(NAMESPACE)
        self.pods = {}
        self.controllers = None
        # Whether the kubelet starts containers again that have ended.
        self.restarts = True
        self._tokens = {}
        self._numbers = iter(range(1, 1000))
        self.network = Network()
        self._make_certificate()
        self.names = Names(self.resolve)
        self.api = Api(self.store, Rights(objects, NAMESPACE), (GATEWAY, 6443),
                       self.authority, self.directory / "api.key")
        self.images = {"patroni": Image("patroni", self.directory, major)}

    def stop(self):
        """Ends everything and removes it, but the logs."""
        self.restarts = False
        self.end_controllers()
        for pod in list(self.pods.values()):
            with contextlib.suppress(Exception):
                pod.remove()
        self.api.stop()
        self.names.stop()
        self.network.stop()
        for name in ("claims", "pods"):
            shutil.rmtree(self.directory / name, ignore_errors=True)

    def clear(self):
        """As if no cluster had ever been here: no pods, none of Patroni's objects, no volumes."""
        self.end_controllers()
        for pod in list(self.pods.values()):
            pod.remove()
        for item in self.store.list("configmaps")[1]:
            self.store.delete("configmaps", item["metadata"]["name"])
        for place in (self.directory / "claims").iterdir():
            shutil.rmtree(place)

    def _make_certificate(self):
        self.authority = self.directory / "api.crt"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=kubernetes",
             "-addext", f"subjectAltName=IP:{GATEWAY},DNS:kubernetes.default.svc",
             "-keyout", str(self.directory / "api.key"), "-out", str(self.authority)],
            check=True, capture_output=True)

    def token(self, account):
        """The token of a ServiceAccount, which must be in the manifests."""
        self.manifests.find("ServiceAccount", account)
        if account not in self._tokens:
            self._tokens[account] = secrets.token_urlsafe(24)
            self.api.tokens[self._tokens[account]] = account
        return self._tokens[account]

    # Volumes.

    @staticmethod
    def give(path, group, mode):
        """What fsGroup does."""
        os.chown(path, 0, group)
        os.chmod(path, mode)

    def claim(self, name, group=999):
        """A volume as it comes from a block device: root's, with lost+found."""
        place = self.directory / "claims" / name
        if not place.exists():
            place.mkdir()
            (place / "lost+found").mkdir(mode=0o700)
            self.give(place, group, 0o2775)
        return place

    # Names.

    def resolve(self, name):
        """Addresses of a Service or of a pod of one; None if there is no such name."""
        suffix = f".{self.domain}"
        if not name.endswith(suffix):
            return None
        name = name.removesuffix(suffix)
        services = {s["metadata"]["name"]: s for s in self.manifests.of_kind("Service")}
        if name in services:
            return self.endpoints(services[name])
        host, _, service = name.partition(".")
        if service not in services:
            return None
        if host in [p.name for p in self.members("member")]:
            return [self.pods[host].ip]
        # As CoreDNS names a pod that has no name of its own, by a StatefulSet.
        address = host.replace("-", ".")
        return [address] if address in self.endpoints(services[service]) else None

    def endpoints(self, service):
        """The addresses behind a Service: ready pods that it selects and that stay."""
        spec = service["spec"]
        selector = ",".join(f"{k}={v}" for k, v in spec["selector"].items())
        result = []
        for item in self.store.list("pods")[1]:
            if not selects(selector, item["metadata"].get("labels") or {}):
                continue
            ready = item["status"]["conditions"][0]["status"] == "True"
            leaving = "deletionTimestamp" in item["metadata"]
            if spec.get("publishNotReadyAddresses") or (ready and not leaving):
                result.append(item["status"]["podIP"])
        return result

    # Controllers.

    def end_controllers(self):
        """Nobody keeps the numbers of pods any more."""
        if self.controllers:
            self.controllers.stop()
            self.controllers = None

    def run_pod(self, name, template, image="patroni", claims=None, watched=True):
        """One pod from a template."""
        # One that is named for a reference in the template, if there is such; else the usual one.
        reference = template["spec"]["containers"][0]["image"]
        pod = Pod(self, name, template, self.images.get(reference, self.images[image]), claims)
        self.pods[name] = pod
        return pod.start(watched)

    def start_member(self, index):
        """A pod of the StatefulSet, with its claim."""
        found = self.manifests.find("StatefulSet", "postgres-cluster")
        name = f"postgres-cluster-{index}"
        claims = {c["metadata"]["name"]: f"{c['metadata']['name']}-{name}"
                  for c in found["spec"]["volumeClaimTemplates"]}
        return self.run_pod(name, found["spec"]["template"], claims=claims)

    def start_replica(self, deployment, image="patroni"):
        """One more pod of a Deployment."""
        found = self.manifests.find("Deployment", deployment)
        name = f"{deployment}-{secrets.token_hex(3)}-{next(self._numbers)}"
        return self.run_pod(name, found["spec"]["template"], image)

    def run_job(self, cronjob, seconds=120, environment=None, check=True, image="patroni"):
        """kubectl create job --from=cronjob/NAME, and its end; (exit code, log)."""
        found = self.manifests.find("CronJob", cronjob)
        template = found["spec"]["jobTemplate"]["spec"]["template"]
        if environment:
            template = with_environment(template, environment)
        return self.run_to_end(
            f"{cronjob}-{next(self._numbers)}", template, seconds, check, image=image)

    def run_to_end(self, name, template, seconds=120, check=True, claims=None, image="patroni"):
        """A pod that ends by itself; (exit code, log)."""
        pod = self.run_pod(name, template, image, claims=claims, watched=False)
        try:
            assert pod.container.wait(seconds), f"{name} still runs:\n{pod.log}"
            code, log = pod.container.code, pod.log
        finally:
            pod.remove()
        assert not check or code == 0, f"{name} ended with {code}:\n{log}"
        return code, log

    # Asking.

    def members(self, component=None):
        """Pods with a Patroni in them."""
        return [p for p in list(self.pods.values())
                if p.template["metadata"]["labels"].get("application") == "patroni"
                and component in (None, p.template["metadata"]["labels"][
                    "app.kubernetes.io/component"])]

    def of_role(self, role):
        """Members whose label `role` is this."""
        return [p for p in self.members() if p.labels.get("role") == role]

    def leader(self):
        """The member that the leader ConfigMap names, if it runs and accepts writes."""
        with contextlib.suppress(Exception):
            record = self.store.get("configmaps", "postgres-cluster-leader")
            name = record["metadata"]["annotations"].get("leader")
            pod = self.pods.get(name)
            if pod and pod.container.alive and self.sql(
                    "SELECT NOT pg_is_in_recovery()", pod, timeout=5) == "t":
                return pod
        return None

    def wait_leader(self, seconds=90, other_than=None):
        """A leader that takes writes."""
        return wait_until("a leader", lambda: next(
            (p for p in [self.leader()] if p and p is not other_than), None), seconds)

    def sql(self, statement, pod=None, database="postgres", timeout=30):
        """As the superuser, by kubectl exec, as the README says."""
        pod = pod or self.wait_leader()
        # PyPI's psql looks for the socket in /tmp, Debian's where the manifests have it.
        return pod.container.run(
            "psql", "-h", "/var/run/postgresql", "-XAtq", "-v", "ON_ERROR_STOP=1",
            "-U", "postgres", "-d", database,
            "-c", statement, timeout=timeout).stdout.strip()

    def wait_streaming(self, names, seconds=120):
        """Until these members stream from the leader."""
        def streaming():
            leader = self.leader()
            if not leader:
                return False
            found = self.sql("SELECT application_name FROM pg_stat_replication"
                             " WHERE state = 'streaming'", leader).split()
            return set(names) - {leader.name} <= set(found)
        wait_until(f"{names} to stream", streaming, seconds)

    def patroni(self, method, path, body, pod=None):
        """A request to Patroni, with the password of its REST interface; by default the leader."""
        secret = b64encode(f"patroni:{PASSWORDS['PATRONI_RESTAPI_PASSWORD']}".encode()).decode()
        request = urllib.request.Request(
            f"http://{(pod or self.wait_leader()).ip}:8008{path}", method=method,
            data=json.dumps(body).encode(), headers={"Authorization": f"Basic {secret}"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status == 200

    def wait_failsafe(self, names=None, seconds=30):
        """Until the primary counts on these, and on nobody else, when the API is away.

        Whoever has just left is still in its record until its next round; all in it must answer.
        """
        wanted = set(names or [p.name for p in self.members()])

        def recorded():
            record = self.store.get("configmaps", "postgres-cluster-leader")
            return set(json.loads(record["metadata"]["annotations"].get("failsafe", "{}")))
        wait_until(f"the failsafe record to be of {wanted}", lambda: recorded() == wanted, seconds)

    def wait_renewed(self, seconds=60):
        """Until the leader has renewed its lock after this moment: it has the API again."""
        began = timestamp().rstrip("Z")
        wait_until("the lock to be renewed", lambda: self.store.get(
            "configmaps", "postgres-cluster-leader")["metadata"]["annotations"]["renewTime"]
            > began, seconds)

    def wait_services(self, seconds=60):
        """Until one of the members' Services leads to the primary, the other to the rest."""
        def settled():
            leader = self.leader()
            rest = {p.ip for p in self.members("member") if p is not leader}
            return leader and rest and (
                self.resolve(f"postgres-cluster.{self.domain}") == [leader.ip]
                and set(self.resolve(f"postgres-cluster-repl.{self.domain}")) == rest)
        wait_until("the Services to have the members", settled, seconds)

    def wait_archive(self, seconds=60):
        """Until the archive has what the primary has written by now."""
        position = self.sql("SELECT pg_current_wal_flush_lsn()")
        wait_until(f"the archive to have {position}", lambda: self.sql(
            f"SELECT restart_lsn >= '{position}' FROM pg_replication_slots"
            " WHERE slot_name = 'backup'") == "t", seconds)

    def in_background(self, function, *arguments):
        """A thread whose failure is raised when it is joined."""
        return Background(function, *arguments)


class Background(threading.Thread):
    """A thread that keeps what its function gave or raised."""

    def __init__(self, function, *arguments):
        super().__init__(daemon=True)
        self._call, self._result, self._error = (function, arguments), None, None
        self.start()

    def run(self):
        function, arguments = self._call
        try:
            self._result = function(*arguments)
        except BaseException as error:  # noqa: BLE001  # raised again by result
            self._error = error

    def result(self, seconds=120):
        """The function's result, or what it raised."""
        self.join(seconds)
        assert not self.is_alive(), "a thread did not end"
        if self._error:
            raise self._error
        return self._result


def with_environment(template, environment):
    """A template whose container has more, or other, variables."""
    spec = template["spec"]
    container = dict(spec["containers"][0])
    kept = [e for e in container.get("env", []) if e["name"] not in environment]
    container["env"] = kept + [{"name": k, "value": v} for k, v in environment.items()]
    return {**template, "spec": {**spec, "containers": [container]}}
