# SPDX-License-Identifier: Apache-2.0
"""Executes deploy/images/patroni/Dockerfile step by step in a clean root of Debian 12.

For a machine without a container engine. What stands for the base image postgres:15-bookworm is a
debootstrap of bookworm with Debian's PostgreSQL 15 and a user postgres of number 999. Layers,
the base image itself, and versions 16 to 18 are not tried here.
"""

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from dockerfile import assignments, command, expand, parse  # noqa: E402

REPOSITORY = Path(__file__).resolve().parents[3]
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def say(text):
    print(f"==> {text}", flush=True)


class Root:
    """A root file system; commands run in it by chroot."""

    def __init__(self, directory):
        self.directory = Path(directory)

    def debootstrap(self):
        """A minimal Debian 12, from the machine's own mirror."""
        subprocess.run(
            ["debootstrap", "--variant=minbase", "bookworm", str(self.directory),
             "http://deb.debian.org/debian"], check=True, stdout=subprocess.DEVNULL)

    def mount(self):
        """What commands need of the kernel."""
        subprocess.run(["mount", "-t", "proc", "proc", self.directory / "proc"], check=True)
        shutil.copy("/etc/resolv.conf", self.directory / "etc/resolv.conf")
        # pip trusts whom this machine trusts, as behind a proxy that reads TLS.
        shutil.copy(CERTIFICATES, self.directory / "machine-certificates.crt")

    def unmount(self):
        """Safe to repeat."""
        while os.path.ismount(self.directory / "proc"):
            subprocess.run(["umount", "-l", self.directory / "proc"], check=True)

    def run(self, arguments, environment=None, user=None):
        """The completed process; output goes to ours."""
        chroot = ["chroot", *([f"--userspec={user}", "--groups="] if user else []),
                  str(self.directory), *arguments]
        return subprocess.run(chroot, check=True, text=True, stdin=subprocess.DEVNULL, env={
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "PIP_CERT": "/machine-certificates.crt", "LC_ALL": "C.UTF-8",
            **(environment or {})})


class Build:
    """The state between instructions: variables, environment, shell, user."""

    def __init__(self, file, root, arguments):
        self.context = file.parent
        self.root = root
        self.given = arguments
        self.arguments, self.environment = {}, {}
        self.shell = ["/bin/sh", "-c"]
        self.user, self.entry, self.command = "0:0", [], []
        self.instructions = parse(file.read_text())
        self.done = []

    @property
    def variables(self):
        return {**self.arguments, **self.environment}

    def execute(self):
        """All of them, in order."""
        for instruction in self.instructions:
            say(f"line {instruction.line}: {instruction.name} {instruction.text[:100]}")
            getattr(self, f"do_{instruction.name.lower()}")(instruction.text)
            self.done.append(instruction.name)

    def do_arg(self, text):
        name, _, default = text.partition("=")
        if name in self.given or default or name not in self.arguments:
            self.arguments[name] = self.given.get(name, expand(default, self.variables))

    def do_from(self, text):
        base = expand(text, self.variables)
        assert base == f"docker.io/library/postgres:{self.given['POSTGRES_MAJOR']}-bookworm", base
        say(f"{base} is replaced by Debian's own packages")
        major = self.given["POSTGRES_MAJOR"]
        for line in (
            "groupadd -r -g 999 postgres && useradd -r -g 999 -u 999 -d /var/lib/postgresql postgres",
            "apt-get update -q && apt-get install -y -q --no-install-recommends postgresql-common",
            "echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf",
            f"apt-get install -y -q --no-install-recommends postgresql-{major}",
        ):
            self.root.run(["/bin/sh", "-ec", line], {"DEBIAN_FRONTEND": "noninteractive"})

    def do_shell(self, text):
        self.shell = command(text)

    def do_run(self, text):
        self.root.run([*self.shell, text], self.variables)

    def do_copy(self, text):
        words = shlex.split(text)
        mode = None
        while words[0].startswith("--"):
            option, value = words.pop(0).split("=")
            assert option == "--chmod", option
            mode = int(value, 8)
        *sources, target = words
        for source in sources:
            place = self.root.directory / target.lstrip("/")
            found = self.context / source
            if found.is_dir():
                shutil.copytree(found, place, dirs_exist_ok=True)
                copied = [place / p.relative_to(found) for p in found.rglob("*") if p.is_file()]
            else:
                place = place / found.name if target.endswith("/") else place
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(found, place)
                copied = [place]
            for file in copied:
                os.chown(file, 0, 0)
                if mode is not None:
                    file.chmod(mode)

    def do_env(self, text):
        self.environment.update(assignments(text, self.variables))

    def do_user(self, text):
        self.user = expand(text, self.variables)

    def do_entrypoint(self, text):
        self.entry = command(text)

    def do_cmd(self, text):
        self.command = command(text)

    # What says something of the image and changes nothing in its files.

    def do_label(self, text):
        assert assignments(text, self.variables)["org.opencontainers.image.version"]

    def do_stopsignal(self, text):
        assert text == "SIGTERM"

    def do_expose(self, text):
        assert text.split() == ["5432", "8008"]

    def do_healthcheck(self, text):
        """Only an engine runs it."""


def check(build):
    """What the image must be able to do, as its user."""
    def run(*arguments):
        build.root.run([*build.entry, *arguments], build.environment, build.user)
    assert build.user == "999:999" and build.command[0] == "patroni"
    run("patroni", "--version")
    run("patronictl", "version")
    run("/bin/sh", "-c", "postgres --version")
    for program in ("pg_basebackup", "pg_receivewal", "pg_verifybackup", "pg_amcheck", "psql",
                    "pg_archivecleanup", "pg_controldata", "pgbackrest", "curl", "jq", "flock"):
        run("/bin/sh", "-ec", f"command -v {program} >/dev/null || (echo no {program}; exit 1)")
    run("/bin/sh", "-ec", "for f in /usr/local/bin/*.sh; do bash -n $f; done")
    run("/opt/patroni/bin/python3", "-c",
        "import psycopg; assert psycopg.pq.version() >= 150000; import patroni.dcs.kubernetes")
    # A database, as Patroni would make it.
    run("/bin/sh", "-ec", "initdb --data-checksums --auth-local=peer -D $PGDATA >/dev/null && "
        "pg_ctl -D $PGDATA -w -s -o '-c listen_addresses= -c unix_socket_directories=/tmp' "
        "-l /tmp/log start && psql -h /tmp -XAtc 'select version()' postgres && "
        "pg_ctl -D $PGDATA -s stop")


def main():
    target = Path(sys.argv[1])
    root = Root(target)
    root.unmount()
    shutil.rmtree(target, ignore_errors=True)
    try:
        say(f"debootstrap in {target}")
        root.debootstrap()
        root.mount()
        build = Build(REPOSITORY / "deploy/images/patroni/Dockerfile", root,
                      {"POSTGRES_MAJOR": "15"})
        build.execute()
        check(build)
    finally:
        root.unmount()
        shutil.rmtree(target, ignore_errors=True)
    say(f"{len(build.done)} instructions executed, {build.done.count('RUN')} of them RUN")


main()
