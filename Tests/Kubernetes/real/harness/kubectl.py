# SPDX-License-Identifier: Apache-2.0
"""kubectl for the operator's scripts: what they use of it, on the small Kubernetes.

A program `kubectl` in a directory for PATH sends its arguments over a socket; the answer is made
here. Whatever a script asks that is not known is an error, not a success.
"""

import copy
import json
import re
import shutil
import socketserver
import threading

import yaml

from .store import Refusal, merged, selects

PROGRAM = """#!/usr/bin/python3
import json, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect({path!r})
takes = "-" in sys.argv or "-i" in sys.argv
text = sys.stdin.read() if takes else ""
connection.sendall(json.dumps([sys.argv[1:], text]).encode() + b"\\n")
answer = json.loads(connection.makefile().read())
sys.stdout.write(answer[1]); sys.stderr.write(answer[2]); sys.exit(answer[0])
"""


KINDS = {"statefulset": "StatefulSet", "deployment": "Deployment", "cronjob": "CronJob",
         "configmap": "ConfigMap"}


class Failed(Exception):
    """What kubectl prints as an error."""


def jsonpath(value, path):
    """The few forms that the scripts use: .a.b, .a\\.b, [0], [?(@.k=="v")]."""
    path = path.strip("{}")
    for name, index, key, wanted in re.findall(
            r'\.((?:[^.\[\\]|\\.)+)|\[(\d+)\]|\[\?\(@\.(\w+)=="([^"]*)"\)\]', path):
        if name:
            value = (value or {}).get(name.replace("\\.", "."))
        elif index:
            value = value[int(index)]
        else:
            value = next((v for v in value or [] if v.get(key) == wanted), None)
        if value is None:
            return ""
    return value if isinstance(value, str) else json.dumps(value)


def matches(selector, labels):
    """Selectors with `in (...)`, too."""
    for key, values in re.findall(r"([^,\s]+) in \(([^)]*)\)", selector):
        if labels.get(key) not in [v.strip() for v in values.split(",")]:
            return False
    rest = re.sub(r"[^,\s]+ in \([^)]*\)", "", selector)
    return selects(rest, labels)


class Kubectl:
    """Answers on a socket; `directory` goes to the front of PATH."""

    def __init__(self, kube, workloads):
        self.kube, self.workloads = kube, workloads
        self.directory = kube.directory / "kubectl"
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        path = str(self.directory / "socket")
        program = self.directory / "kubectl"
        program.write_text(PROGRAM.format(path=path))
        program.chmod(0o755)
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                arguments, text = json.loads(self.rfile.readline())
                self.wfile.write(json.dumps(outer.answer(arguments, text)).encode())
        self._server = socketserver.ThreadingUnixStreamServer(path, Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        """No more answers."""
        self._server.shutdown()
        self._server.server_close()

    def answer(self, arguments, text):
        """(code, output, errors)."""
        try:
            if arguments[:1] == ["--namespace"]:
                assert arguments[1] == self.kube.namespace
                arguments = arguments[2:]
            return getattr(self, f"do_{arguments[0]}")(arguments[1:], text)
        except Failed as failed:
            return 1, "", f"Error from server: {failed}\n"
        except Exception as error:  # noqa: BLE001  # shown to the script, which fails
            return 1, "", f"kubectl {' '.join(arguments)}: {error!r}\n"

    # Verbs.

    def do_get(self, arguments, _):
        """get KIND [NAME] [-l SELECTOR] -o name|jsonpath=... [--ignore-not-found]"""
        options, names = parse(arguments)
        kind, names = names[0].rstrip("s"), names[1:]
        if names:
            return 0, jsonpath(self.find(kind, names[0]), options["-o"].split("=", 1)[1]), ""
        assert kind == "pod" and options["-o"] == "name", arguments
        found = [p for p in self.kube.store.list("pods")[1]
                 if matches(options["-l"], p["metadata"].get("labels") or {})]
        return 0, "".join(f"pod/{p['metadata']['name']}\n" for p in found), ""

    def find(self, kind, name):
        """An object as it is now."""
        try:
            if kind == "pod":
                return self.kube.store.get("pods", name)
            if kind == "configmap" and name.startswith("postgres-cluster-"):
                return self.kube.store.get("configmaps", name)
        except Refusal as refusal:
            raise Failed(refusal.message) from refusal
        if kind == "job":
            return self.workloads.jobs[name]
        if (kind, name) in self.workloads.wanted:
            found = self.kube.manifests.find(KINDS[kind], name)
            return merged(found, {"spec": {"replicas": self.workloads.wanted[kind, name]}})
        assert kind == "configmap", kind
        return self.kube.manifests.find("ConfigMap", name)

    def do_exec(self, arguments, text):
        """exec [-i] POD|deploy/NAME [-c patroni] -- COMMAND..."""
        place = arguments.index("--")
        options, names = parse([a for a in arguments[:place] if a != "-i"])
        assert options.get("-c", "patroni") == "patroni"
        name = names[0]
        if name.startswith("deploy/"):
            pod = self.workloads.pods_of(name.removeprefix("deploy/"))[0]
        elif name in self.kube.pods:
            pod = self.kube.pods[name]
        else:
            raise Failed(f'pods "{name}" not found')
        done = pod.container.run(*arguments[place + 1:], check=False, input=text or None,
                                 environment={"PGHOST": "/var/run/postgresql"})
        return done.returncode, done.stdout, done.stderr

    def do_scale(self, arguments, _):
        """scale KIND NAME --replicas=N"""
        options, (kind, name) = parse(arguments)
        self.workloads.wanted[kind, name] = int(options["--replicas"])
        return 0, "", ""

    def do_patch(self, arguments, _):
        """patch cronjob|configmap NAME --type merge -p PATCH"""
        options, (kind, name) = parse(arguments)
        assert options["--type"] == "merge"
        found = self.kube.manifests.find(KINDS[kind], name)
        found.update(merged(found, json.loads(options["-p"])))
        return 0, "", ""

    def do_set(self, arguments, _):
        """set image KIND NAME *=IMAGE: of pods that are made from now on"""
        _, (what, kind, name, image) = parse(arguments)
        assert what == "image" and image.startswith("*=")
        # A Deployment would replace what it has.
        assert kind == "cronjob" or self.workloads.wanted[kind, name] == 0
        found = self.kube.manifests.find(KINDS[kind], name)
        owner = found["spec"]["jobTemplate"] if kind == "cronjob" else found
        owner["spec"]["template"] = copy.deepcopy(owner["spec"]["template"])
        for container in owner["spec"]["template"]["spec"]["containers"]:
            container["image"] = image.removeprefix("*=")
        return 0, "", ""

    def do_delete(self, arguments, _):
        """delete KIND NAME... [--ignore-not-found] [--wait=true]"""
        options, (kind, *names) = parse(arguments)
        for name in names:
            if kind == "pod":
                self.kube.pods[name].delete()
            elif kind == "configmap":
                try:
                    self.kube.store.delete("configmaps", name)
                except Refusal:
                    assert "--ignore-not-found" in options
            else:
                assert kind == "pvc", kind
                shutil.rmtree(self.kube.directory / "claims" / name)
        return 0, "", ""

    def do_create(self, arguments, text):
        """create -f - (a Job) | create job --from=cronjob/X NAME"""
        options, names = parse(arguments)
        if options.get("-f") == "-":
            job = yaml.safe_load(text)
            assert job["kind"] == "Job"
            self.workloads.create_job(job["metadata"]["name"], job["spec"]["template"])
        else:
            self.workloads.job_from(options["--from"].removeprefix("cronjob/"), names[1])
        return 0, "", ""

    def do_logs(self, arguments, _):
        """logs job/NAME"""
        return 0, self.workloads.jobs[arguments[0].removeprefix("job/")]["log"], ""

    def do_wait(self, arguments, _):
        """wait --for=condition=complete job/NAME"""
        _, names = parse(arguments)
        ok = self.workloads.wait_job(names[0].removeprefix("job/"))
        return (0, "", "") if ok else (1, "", "timed out\n")

    def do_rollout(self, arguments, _):
        """rollout restart|status deployment NAME: a new pod, ready"""
        _, (verb, _, name) = parse(arguments)
        if verb == "restart":
            for pod in self.workloads.pods_of(name):
                pod.delete()
        else:
            from .kube import wait_until
            wait_until(f"{name} to be ready", lambda: any(
                p.ready for p in self.workloads.pods_of(name)), 60)
        return 0, "", ""


TAKE_VALUE = {"-o", "-l", "-c", "-p", "-f", "--type"}


def parse(arguments):
    """(options, names)."""
    options, names, place = {}, [], 0
    while place < len(arguments):
        one = arguments[place]
        if one in TAKE_VALUE:
            options[one] = arguments[place + 1]
            place += 1
        elif one.startswith("--"):
            key, _, value = one.partition("=")
            options[key] = value
        else:
            names.append(one)
        place += 1
    return options, names
