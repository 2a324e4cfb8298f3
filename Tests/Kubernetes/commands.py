# SPDX-License-Identifier: Apache-2.0
"""Whether the commands of the manual name what is there."""

import json
import re

from patroni.ctl import ctl

import known
import manual
from manifests import REPOSITORY

OWN_OVERLAY = "deploy/kubernetes/overlays/mine"
VERBS = {"apply", "config", "create", "delete", "describe", "drain", "exec", "get", "kustomize",
         "logs", "patch", "port-forward", "rollout", "run", "scale", "set", "wait"}
VALUED = {"-n", "-l", "-c", "-o", "-f", "-k", "-p", "--type"}


class Commands:
    """Checks each command; what one makes, the next may use."""

    def __init__(self):
        self.jobs = set()
        self.tags = set(known.images())
        self.folder = REPOSITORY
        self.checked = 0

    def problems(self, words):
        """What of a command is not there."""
        program, *rest = words
        self.checked += 1
        if program == "cd":
            self.folder = REPOSITORY / rest[0]
        elif program == "kubectl":
            yield from self.kubectl(rest)
        elif program == "patronictl":
            yield from self.patronictl(rest)
        elif program == "docker":
            self.tags.add(rest[rest.index("-t") + 1])
            for name in (rest[n + 1].split("=")[0] for n, w in enumerate(rest) if w == "--build-arg"):
                if f"ARG {name}" not in known.deployed_text():
                    yield f"no image has the build argument {name}"
        elif program == "kind":
            yield from (f"no image {tag}" for tag in rest if ":" in tag and tag not in self.tags)
        elif "/" in program and program.endswith(".sh"):
            yield from self.script(program, rest)
        elif program in known.pod_scripts() or program == "martlet":
            pass
        else:
            self.checked -= 1

    def script(self, program, rest):
        """Its options are in its text, or in that of what it calls in the pod."""
        path = self.folder / program
        if not path.exists():
            yield f"there is no {program}"
            return
        text = path.read_text() + (path.parent / "lib.sh").read_text() if \
            path.parent.name == "scripts" else path.read_text()
        text += known.pod_scripts().get(path.name, "")
        for option in (word for word in rest if word.startswith("-")):
            if not known.has_word(text, option):
                yield f"{program} has no option {option}"
        if "--image" in rest and rest[rest.index("--image") + 1] not in self.tags:
            yield f"{program}: an image that nobody built"

    def patronictl(self, rest):
        """Patroni's own command line knows it."""
        command = ctl.commands.get(rest[0])
        if command is None:
            yield f"patronictl has no {rest[0]}"
            return
        options = {name for param in command.params for name in param.opts}
        values = [word for word in rest[1:] if not word.startswith("-")]
        yield from (f"patronictl {rest[0]} has no {word}" for word in rest[1:]
                    if word.startswith("-") and word not in options)
        if values and values[0] != known.patroni_yml()["scope"]:
            yield f"patronictl {rest[0]}: no cluster {values[0]}"

    def kubectl(self, rest):
        """Verb, objects, labels, containers, files, patches."""
        if "--" in rest:
            end = rest.index("--")
            inner, rest = rest[end + 1:], rest[:end]
            yield from self.problems(inner)
        options = {}
        words = []
        position = 0
        while position < len(rest):
            word = rest[position]
            if word in VALUED and position + 1 < len(rest):
                options[word] = rest[position + 1]
                position += 1
            elif word.startswith("-"):
                name, _, value = word.partition("=")
                options[name] = value
            else:
                words.append(word)
            position += 1
        if not words:
            return
        if words[0] not in VERBS:
            yield f"kubectl has no {words[0]}"
            return
        yield from self.options(words[0], options)
        yield from self.targets(words[0], words[1:], options)

    def options(self, verb, options):
        """Those whose values name something."""
        for pair in (options.get("-l"), options.get("--labels")):
            name, _, value = (pair or "").partition("=")
            client = (name, value) == ("martlet.client", "true")
            if pair and (name, value) not in known.labels() and not client:
                yield f"no pod has the label {pair}"
        if "-c" in options and options["-c"] not in known.containers():
            yield f"no container {options['-c']}"
        if "--image" in options and options["--image"] not in self.tags:
            yield f"no image {options['--image']}"
        for place in (options.get("-f"), options.get("-k")):
            if place and place != "-" and place != OWN_OVERLAY and not (self.folder / place).exists():
                yield f"there is no {place}"
        if "-p" in options:
            json.loads(options["-p"])
        if "--from" in options:
            yield from self.target(*options["--from"].split("/"))

    def targets(self, verb, words, options):
        """Objects, as KIND/NAME or KIND NAME; a pod's name alone for exec and logs."""
        if verb in ("config", "kustomize", "apply", "run", "drain") or "--raw" in options:
            return
        if verb == "create":
            if words[0] == "job":
                self.jobs.add(words[1])
            elif not ("--from-literal" in options and
                      {("Secret", words[-1]), ("ConfigMap", words[-1])} & known.names()):
                yield f"nobody uses {words[-1]}"
            return
        if verb in ("rollout", "set"):
            words = words[1:]
        if not words:
            return
        first, *others = words
        if "/" in first:
            kind, name = first.split("/", 1)
            yield from self.target(kind, name, *others)
        elif verb in ("exec", "logs"):
            yield from self.target("pod", first)
        elif first not in known.KINDS:
            yield f"no kind {first}"
        elif others and "=" not in others[0]:
            yield from self.target(first, *others)

    def target(self, kind, name, *others):
        """One object; placeholders are in capitals, variables are members."""
        if kind not in known.KINDS:
            yield f"no kind {kind}"
            return
        name = name.replace("$number", "0")
        if name.startswith("$") or name.isupper():
            return
        if kind == "job":
            if name not in self.jobs:
                yield f"nobody made the job {name}"
        elif (known.KINDS[kind], name) not in known.names():
            yield f"there is no {kind} {name}"
        for ports in others:
            if re.fullmatch(r"\d+:\d+", ports) and ports.split(":")[1] not in self.ports(name):
                yield f"{kind} {name} has no port {ports}"

    @staticmethod
    def ports(name):
        """Of a workload's container or a Service."""
        found = set()
        for one in known.objects():
            if one["metadata"]["name"] == name:
                for mapping in known.walk(one):
                    found |= {str(mapping.get("containerPort")), str(mapping.get("port"))}
        return found


def wrong_commands(found):
    """In the order in which they are read; Jobs may be named in one section and made in another."""
    checker = Commands()
    section = None
    held = list(manual.shell(found))
    for _, words in held:
        if words[:3] == ["kubectl", "create", "job"]:
            checker.jobs.add(words[-1])
    for here, words in held:
        if here is not section:
            # A "cd" holds for its own block.
            section, checker.folder = here, REPOSITORY
        for problem in checker.problems(words):
            yield f"section {here.number}: {' '.join(words)}: {problem}"
    if checker.checked < 60:
        yield f"only {checker.checked} commands were understood"
