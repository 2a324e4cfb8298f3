# SPDX-License-Identifier: Apache-2.0
"""Processes that outlive the script which started them.

Each has a file with its id and the time it started. An id alone is not enough: after a crash of
the machine or a long time it may belong to somebody else. Only a process whose start time agrees
is ever signalled, and through a descriptor of it, so that it cannot be replaced in between.
"""

import contextlib
import json
import os
import pwd
import signal
import subprocess
import time
from pathlib import Path


class Failure(Exception):
    """Something that the person at the terminal should read, without a traceback."""


def wait_until(what, condition, seconds, interval=0.05):
    """Asks until `condition` gives something true, and returns that."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failure(f"waited {seconds} s in vain for {what}")
        time.sleep(interval)


def start_time(pid):
    """When the process started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(")") + 2 :].split()
    return None if fields[0] in "ZX" else int(fields[19])


def command_of(pid):
    """The command line, for messages."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return "?"
    return b" ".join(words).decode(errors="replace").strip() or "?"


class Process:
    """One process, known by a file below `directory`."""

    def __init__(self, name, directory, log):
        self.name = name
        self.file = Path(directory) / f"{name}.pid"
        self.log = Path(log)
        self.child = None
        # Where in the log its own lines begin; what ran before under its name wrote there, too.
        self.log_start = 0

    @property
    def pid(self):
        """The id while it is alive, else None."""
        record = self._record()
        if record and start_time(record["pid"]) == record["started"]:
            return record["pid"]
        return None

    @property
    def alive(self):
        """Whether it runs."""
        return self.pid is not None

    def start(self, words, user=None, environment=None, directory="/"):
        """Starts it in a session of its own, so that Ctrl-C does not reach it."""
        if self.alive:
            raise Failure(f"{self.name} runs already (process {self.pid})")
        options = {}
        if user and user != pwd.getpwuid(os.geteuid()).pw_name:
            account = pwd.getpwnam(user)
            options = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        with self.log.open("ab") as output:
            self.log_start = output.tell()
            self.child = subprocess.Popen(
                [str(word) for word in words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=environment,
                start_new_session=True,
                **options,
            )
        record = {"pid": self.child.pid, "started": start_time(self.child.pid)}
        self.file.write_text(json.dumps(record))

    def require_alive(self):
        """Fails with the end of the log when the process has ended."""
        if not self.alive:
            raise Failure(f"{self.name} ended; its log {self.log} ends:\n{self.end_of_log()}")

    def end_of_log(self, lines=15):
        """The last lines that it wrote, and how it ended if it was this script's child."""
        try:
            text = self.log.read_text(errors="replace")
        except FileNotFoundError:
            text = "(empty)"
        end = [f"  {line}" for line in text.splitlines()[-lines:]]
        status = self.child and self.child.poll()
        if status is not None:
            end.append(f"  (ended with status {status})")
        return "\n".join(end)

    def send(self, number):
        """Sends a signal; False when there is nobody to send it to."""
        record = self._record()
        return bool(record) and signal_process(record["pid"], record["started"], number)

    def wait_gone(self, seconds):
        """Waits for the end of the process; False when it does not come."""
        deadline = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        self._reap()
        return True

    def stop(self, seconds=30, number=signal.SIGTERM):
        """Asks it to end, and ends it by force when it does not."""
        self.send(number)
        if not self.wait_gone(seconds):
            self.send(signal.SIGKILL)
            self.wait_gone(10)
        self.file.unlink(missing_ok=True)

    def kill(self):
        """SIGKILL, as when the machine dies."""
        self.send(signal.SIGKILL)
        self.wait_gone(10)
        self.file.unlink(missing_ok=True)

    def _record(self):
        try:
            return json.loads(self.file.read_text())
        except (FileNotFoundError, ValueError):
            return None

    def _reap(self):
        if self.child:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(timeout=5)


def signal_process(pid, started, number):
    """Signals exactly the process that started then; False when it is gone."""
    try:
        descriptor = os.pidfd_open(pid)
    except (ProcessLookupError, OSError):
        return False
    try:
        if start_time(pid) != started:
            return False
        signal.pidfd_send_signal(descriptor, number)
        return True
    except ProcessLookupError:
        return False
    finally:
        os.close(descriptor)
