# SPDX-License-Identifier: Apache-2.0
"""Pods as the kubelet runs them: volumes, probes, hooks, signals, grace periods, restarts."""

import contextlib
import shutil
import signal
import ssl
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from .container import Container
from .network import GATEWAY
from .store import Refusal, timestamp

TOKENS = "/var/run/secrets/kubernetes.io/serviceaccount"

# The kubelet asks whoever answers.
UNVERIFIED = ssl._create_unverified_context()


class Pod:
    """One pod of one container, from a rendered template."""

    def __init__(self, kube, name, template, image, claims=None):
        self.kube, self.name, self.template, self.image = kube, name, template, image
        self.spec = template["spec"]
        assert len(self.spec["containers"]) == 1
        self.container_spec = self.spec["containers"][0]
        self.directory = kube.directory / "pods" / name
        # Volumes that outlive the pod, by the claim's name.
        self.claims = claims or {}
        self.ready = False
        self.restarts = 0
        self.container = None
        self.ended = threading.Event()
        self._deleting = threading.Event()

    def start(self, watched=True):
        """Creates the object, and starts the container and its probes."""
        self.namespace, self.ip = self.kube.network.add()
        labels = dict(self.template["metadata"]["labels"])
        self.kube.store.create("pods", {
            "metadata": {"name": self.name, "labels": labels, "annotations": {}},
            "spec": {"nodeName": f"node-{self.name}", "containers": [
                {"name": self.container_spec["name"], "image": self.container_spec["image"]}]},
            "status": {"phase": "Running", "podIP": self.ip, "podIPs": [{"ip": self.ip}],
                       "conditions": [{"type": "Ready", "status": "False"}]}})
        self.object = {"metadata": {"name": self.name, "namespace": self.kube.namespace,
                                    "labels": labels},
                       "status": {"podIP": self.ip}, "spec": {"nodeName": f"node-{self.name}"}}
        self._start_container()
        if watched:
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def _start_container(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        self.container = Container(
            self.image, self.container_spec, self.spec["securityContext"], self._command(),
            self._environment(), self._mounts(), self.namespace, self.name, self._etc(),
            self.kube.directory / "logs" / f"{self.name}.log").start()

    def _command(self):
        spec = self.container_spec
        entry = spec.get("command") or (["/usr/local/bin/martlet"]
                                        if self.image.kind == "martlet" else [])
        return [*entry, *spec.get("args", [])]

    def _environment(self):
        return {
            "KUBERNETES_SERVICE_HOST": GATEWAY, "KUBERNETES_SERVICE_PORT": "6443",
            "HOSTNAME": self.name,
            **self.kube.manifests.environment(self.container_spec, self.object)}

    def _etc(self):
        etc = self.directory / "etc"
        etc.mkdir(parents=True, exist_ok=True)
        domain = f"{self.kube.namespace}.svc.cluster.local"
        (etc / "resolv.conf").write_text(
            f"nameserver {GATEWAY}\nsearch {domain} svc.cluster.local cluster.local\n"
            "options ndots:5 timeout:2\n")
        (etc / "hosts").write_text(f"127.0.0.1 localhost\n{self.ip} {self.name}\n")
        return etc

    # Volumes.

    def _mounts(self):
        volumes = {v["name"]: v for v in self.spec.get("volumes", [])}
        result = []
        for mount in self.container_spec.get("volumeMounts", []):
            source = self._volume(mount["name"], volumes.get(mount["name"], {}))
            if "subPath" in mount:
                source = source / mount["subPath"]
            result.append((source, mount["mountPath"], mount.get("readOnly", False)))
        if self.spec.get("automountServiceAccountToken"):
            result.append((self._account(), TOKENS, True))
        return result

    def _volume(self, name, volume):
        files = self.kube.manifests.files(volume)
        place = self.directory / "volumes" / name
        if files is not None:
            self._write_files(place, files)
        elif "persistentVolumeClaim" in volume or name in self.claims:
            claim = self.claims.get(name) or volume["persistentVolumeClaim"]["claimName"]
            return self.kube.claim(claim, self._group)
        elif not place.exists():
            # emptyDir, and the claim of an ephemeral volume: for everybody of the pod's group.
            place.mkdir(parents=True)
            self.kube.give(place, self._group, 0o2777 if "emptyDir" in volume else 0o2775)
        return place

    @property
    def _group(self):
        return self.spec["securityContext"]["fsGroup"]

    def _write_files(self, place, files):
        for path, (text, mode) in files.items():
            file = place / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            self.kube.give(file, self._group, mode | 0o040)
        for directory in [place, *(p for p in place.rglob("*") if p.is_dir())]:
            directory.chmod(0o755)

    def _account(self):
        place = self.directory / "account"
        place.mkdir(parents=True, exist_ok=True)
        token = self.kube.token(self.spec["serviceAccountName"])
        shutil.copy(self.kube.authority, place / "ca.crt")
        (place / "namespace").write_text(self.kube.namespace)
        (place / "token").write_text(token)
        for file in place.iterdir():
            self.kube.give(file, self._group, 0o644)
        place.chmod(0o755)
        return place

    # Probes and restarts.

    def _watch(self):
        probe = self.container_spec.get("readinessProbe")
        wait = 0.5
        while not self._deleting.wait(wait):
            if not self.container.alive:
                self._set_ready(False)
                if self.ended.is_set() or not self.kube.restarts:
                    continue
                self.restarts += 1
                self._start_container()
            elif probe:
                self._set_ready(self._probe(probe))
            # Faster than the manifests, for the tests' sake; nothing depends on its slowness.
            wait = 1

    def _probe(self, probe):
        if "httpGet" in probe:
            port = probe["httpGet"]["port"]
            if isinstance(port, str):
                port = next(p["containerPort"] for p in self.container_spec["ports"]
                            if p["name"] == port)
            scheme = probe["httpGet"].get("scheme", "HTTP").lower()
            url = f"{scheme}://{self.ip}:{port}{probe['httpGet']['path']}"
            try:
                with urllib.request.urlopen(url, timeout=probe.get("timeoutSeconds", 1),
                                            context=UNVERIFIED):
                    return True
            except (OSError, urllib.error.URLError):
                return False
        with contextlib.suppress(Exception):
            return self.container.run(*probe["exec"]["command"], check=False,
                                      timeout=probe.get("timeoutSeconds", 1)).returncode == 0
        return False

    def _set_ready(self, ready):
        if ready == self.ready:
            return
        self.ready = ready
        with contextlib.suppress(Refusal):
            current = self.kube.store.get("pods", self.name)
            conditions = [{"type": "Ready", "status": str(ready)}]
            self.kube.store.patch("pods", self.name, {
                "status": {**current["status"], "conditions": conditions}})

    # Ends.

    @property
    def terminating(self):
        """Whether its deletion has begun."""
        return self._deleting.is_set()

    def delete(self):
        """kubectl delete pod: the mark, the hook, SIGTERM, and SIGKILL after the grace period."""
        grace = self.spec.get("terminationGracePeriodSeconds", 30)
        began = time.time()
        self._deleting.set()
        self.kube.store.patch("pods", self.name, {"metadata": {
            "deletionTimestamp": timestamp(), "deletionGracePeriodSeconds": grace}})
        hook = self.container_spec.get("lifecycle", {}).get("preStop")
        if hook and self.container.alive:
            with contextlib.suppress(Exception):
                done = self.container.run(*hook["exec"]["command"], check=False, timeout=grace)
                with self.container.log.open("a") as log:
                    log.write(done.stdout + done.stderr)
        self.container.signal(signal.SIGTERM)
        self.ended_in_time = self.container.wait(max(2, grace - (time.time() - began)))
        self.container.kill()
        self.remove()

    def remove(self):
        """The object and the network; volumes of its own go with it."""
        self._deleting.set()
        self.ended.set()
        self.container.kill()
        with contextlib.suppress(Refusal):
            self.kube.store.delete("pods", self.name)
        self.kube.network.remove(self.namespace)
        shutil.rmtree(self.directory, ignore_errors=True)
        self.kube.pods.pop(self.name, None)

    def lose_node(self):
        """Power off: the processes are gone, the object and its labels stay."""
        self.ended.set()
        self._set_ready(False)
        self.container.kill()

    def come_back(self):
        """The node is there again, and the kubelet starts the container anew."""
        self.ended.clear()
        self._start_container()

    @property
    def labels(self):
        """As the API has them now."""
        return self.kube.store.get("pods", self.name)["metadata"].get("labels") or {}

    @property
    def log(self):
        """What the container has printed, over all restarts."""
        return Path(self.container.log).read_text(errors="replace")
