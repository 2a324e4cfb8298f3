# SPDX-License-Identifier: Apache-2.0
"""Executes a Dockerfile of deploy/images step by step in clean roots of Debian 12.

For a machine without a container engine. What stands for the base images:
    postgres:15-bookworm   a debootstrap of bookworm, Debian's PostgreSQL 15, a user postgres (999)
    debian:12-slim         a debootstrap of bookworm
    swift:6.3-bookworm     the same; `swift build` itself runs outside, by this machine's toolchain
The base images themselves, layers, caches, and PostgreSQL 16 to 18 are not tried here.

    build.py DIRECTORY patroni|martlet
"""

import os
import shlex
import shutil
import signal
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

    def debootstrap(self, archive):
        """A minimal Debian 12; made once, and unpacked for each stage."""
        if not archive.exists():
            say("debootstrap")
            subprocess.run(
                ["debootstrap", "--variant=minbase", "bookworm", str(self.directory),
                 "http://deb.debian.org/debian"], check=True, stdout=subprocess.DEVNULL)
            # As the images of Debian have it: nothing is lost with a root that is thrown away.
            (self.directory / "etc/dpkg/dpkg.cfg.d/speedup").write_text("force-unsafe-io\n")
            subprocess.run(["tar", "-C", self.directory, "-cf", archive, "."], check=True)
        else:
            self.directory.mkdir()
            subprocess.run(["tar", "-C", self.directory, "-xpf", archive], check=True)

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

    def __init__(self, directory, file, context, arguments):
        self.directory, self.context, self.given = directory, context, arguments
        # Those before the first FROM count in FROM lines, and in a stage only if it says so.
        self.outer = {}
        # Roots by stage; the last one is the image.
        self.stages, self.root = {}, None
        self.instructions = parse(file.read_text())
        self.done = []
        self._begin_stage()

    def _begin_stage(self):
        self.arguments, self.environment = {}, {}
        self.shell, self.place = ["/bin/sh", "-c"], "/"
        self.user, self.entry, self.command = "0:0", [], []

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
        known = self.variables if self.stages else self.outer
        value = self.given.get(name) or expand(default, known) or self.outer.get(name, "")
        (self.arguments if self.stages else self.outer)[name] = value

    def do_from(self, text):
        words = expand(text, self.outer).split()
        base, name = words[0], words[-1] if len(words) == 3 else f"{len(self.stages)}"
        self._begin_stage()
        self.root = self.stages[name] = Root(self.directory / name)
        self.root.debootstrap(self.directory / "debian.tar")
        self.root.mount()
        say(f"{base} is replaced by Debian's own packages")
        if base.startswith("docker.io/library/postgres:"):
            self._install_postgres(base)
        else:
            assert base.startswith(("docker.io/library/swift:", "docker.io/library/debian:12"))

    def _install_postgres(self, base):
        major = self.given["POSTGRES_MAJOR"]
        assert base == f"docker.io/library/postgres:{major}-bookworm", base
        for line in (
            "groupadd -r -g 999 postgres",
            "useradd -r -g 999 -u 999 -d /var/lib/postgresql postgres",
            "apt-get update -q && apt-get install -y -q --no-install-recommends postgresql-common",
            "echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.conf",
            f"apt-get install -y -q --no-install-recommends postgresql-{major}",
        ):
            self.root.run(["/bin/sh", "-ec", line], {"DEBIAN_FRONTEND": "noninteractive"})

    def do_workdir(self, text):
        self.place = text
        (self.root.directory / text.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def do_shell(self, text):
        self.shell = command(text)

    def do_run(self, text):
        if "swift build" in text:
            # The image of Swift is a toolchain and Debian 12, which this machine has as well.
            say("outside of the root, by this machine's Swift")
            text = text.replace("swift build", "swift build --scratch-path .build-static")
            text = text.replace("/out/", f"{self.root.directory}/out/")
            subprocess.run([*self.shell, text], check=True, cwd=REPOSITORY)
            return
        self.root.run([*self.shell, f"cd {self.place}; {text}"], self.variables)

    def do_copy(self, text):
        words = shlex.split(text)
        mode, context = None, self.context
        while words[0].startswith("--"):
            option, value = words.pop(0).split("=")
            if option == "--from":
                context = self.stages[value].directory
            else:
                assert option == "--chmod", option
                mode = int(value, 8)
        *sources, target = words
        target = os.path.join(self.place, target) + ("/" if target.endswith("./") else "")
        for source in sources:
            place = self.root.directory / target.lstrip("/")
            found = context / source.lstrip("/")
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
        assert "5432" in text.split()

    def do_healthcheck(self, text):
        """Only an engine runs it."""


def check_patroni(build):
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


def check_martlet(build):
    """Its program starts, as its user, with nothing of Swift in the root."""
    assert build.user == "65532:65532" and build.command == ["serve"]
    build.root.run([*build.entry, "--version"], build.environment, build.user)
    build.root.run([*build.entry, "explain", "SELECT 1"], build.environment, build.user)
    assert not list(build.root.directory.glob("usr/lib/**/libswiftCore.so"))


def main():
    # Ended from outside it still cleans up.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    target, name = Path(sys.argv[1]), sys.argv[2]
    clear(target)
    target.mkdir()
    try:
        directory = REPOSITORY / "deploy/images" / name
        build = Build(target, directory / "Dockerfile",
                      REPOSITORY if name == "martlet" else directory,
                      {"POSTGRES_MAJOR": "15"} if name == "patroni" else {})
        build.execute()
        {"patroni": check_patroni, "martlet": check_martlet}[name](build)
    finally:
        clear(target)
    say(f"{name}: {len(build.done)} instructions executed, {build.done.count('RUN')} of them RUN")


def clear(target):
    """What this or an earlier run has left."""
    for place in target.glob("*/proc"):
        Root(place.parent).unmount()
    shutil.rmtree(target, ignore_errors=True)


main()
