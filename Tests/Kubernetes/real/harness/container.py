# SPDX-License-Identifier: Apache-2.0
"""A container without an engine: namespaces by bwrap, user and capabilities by setpriv.

The first process is the entry point itself, as in a container, so it gets the signals and reaps.
Not simulated: seccomp profiles, limits of memory and CPU.
"""

import contextlib
import json
import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


# --die-with-parent means the thread that has started it: so that is one which stays.
_STARTER = ThreadPoolExecutor(1)


class Container:
    """One container of a pod."""

    def __init__(self, image, spec, pod_security, command, environment, mounts, namespace,
                 hostname, etc, log):
        self.image = image
        self.security = {**pod_security, **spec.get("securityContext", {})}
        self.environment = {**image.environment, **environment}
        self.log = Path(log)
        self._command, self._mounts = command, mounts
        self._namespace, self._hostname, self._etc = namespace, hostname, etc
        self._process = None
        self._init = None
        self.started = None

    # What the manifests ask for must be what is done here.
    def _privileges(self):
        security = self.security
        assert security["runAsNonRoot"] and security["allowPrivilegeEscalation"] is False
        assert security["capabilities"] == {"drop": ["ALL"]}
        return ["setpriv", "--reuid", str(security["runAsUser"]),
                "--regid", str(security["runAsGroup"]),
                "--groups", str(security["fsGroup"]), "--no-new-privs",
                "--bounding-set=-all", "--inh-caps=-all", "--ambient-caps=-all", "--"]

    def start(self):
        """Starts the first process."""
        read, write = os.pipe()
        arguments = [
            "nsenter", f"--net=/run/netns/{self._namespace}",
            "bwrap", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--as-pid-1",
            "--die-with-parent", "--hostname", self._hostname, "--info-fd", str(write),
            "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP",
            *self.image.arguments(),
        ]
        for name in ("resolv.conf", "hosts"):
            arguments += ["--ro-bind", str(self._etc / name), f"/etc/{name}"]
        for source, place, read_only in self._mounts:
            arguments += self.image.ancestors(place)
            arguments += ["--ro-bind" if read_only else "--bind", str(source), place]
        if self.security.get("readOnlyRootFilesystem"):
            arguments += ["--remount-ro", "/"]
        arguments += ["--chdir", "/", *self._privileges(), *self._command]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = _STARTER.submit(
                subprocess.Popen, arguments, env=self.environment, stdin=subprocess.DEVNULL,
                stdout=log, stderr=log, pass_fds=(write,), start_new_session=True).result()
        os.close(write)
        with os.fdopen(read) as pipe:
            text = pipe.read()
        self._init = json.loads(text)["child-pid"] if text.strip() else None
        self.started = time.time()
        return self

    @property
    def alive(self):
        """Whether the first process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def code(self):
        """The exit code, or None."""
        return self._process.poll()

    def signal(self, number):
        """To the first process, from outside its namespace: KILL works there, too."""
        if self.alive and self._init:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._init, number)

    def wait(self, seconds):
        """Whether it has ended by then."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
        return not self.alive

    def kill(self):
        """Everything in it, at once."""
        self.signal(signal.SIGKILL)
        self.wait(10)

    def run(self, *command, check=True, timeout=60, input=None, environment=None):
        """kubectl exec."""
        done = subprocess.run(
            ["nsenter", "-t", str(self._init), "--mount", "--pid", "--net", "--ipc", "--uts",
             *self._privileges(), *command],
            env={**self.environment, **(environment or {})}, capture_output=True, text=True,
            timeout=timeout, input=input)
        if check and done.returncode:
            raise AssertionError(
                f"{command} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done

    @property
    def output(self):
        """Its log."""
        return self.log.read_text(errors="replace")
