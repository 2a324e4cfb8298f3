# SPDX-License-Identifier: Apache-2.0
"""A fixed share of a processor for each PostgreSQL node, by a control group of its own."""

import contextlib
import os
from pathlib import Path

from localcluster.processes import Failure, wait_until

from .usage import family

V1, V2 = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
# Short periods, so that a node that has used up its share is not away for long.
PERIOD = 20_000


def available():
    """The hierarchy that limits processors here: "v1", "v2" or None."""
    if os.geteuid() != 0:
        return None
    if (V1 / "cpu.cfs_quota_us").exists() or (V1 / "cpu.shares").exists():
        return "v1"
    controllers = V2 / "cgroup.controllers"
    if controllers.exists() and "cpu" in controllers.read_text().split():
        return "v2"
    return None


@contextlib.contextmanager
def capped(postmasters, share):
    """`{name: process id}` get a share of one processor each, as long as the block lasts."""
    kind = available()
    if not kind:
        raise Failure("no control group can limit processors here (as root, v1 or v2)")
    if kind == "v2":
        (V2 / "cgroup.subtree_control").write_text("+cpu")
    base = V1 if kind == "v1" else V2
    groups = {name: base / f"martlet-bench-{name}" for name in postmasters}
    try:
        for name, pid in postmasters.items():
            group = groups[name]
            group.mkdir(exist_ok=True)
            if kind == "v1":
                (group / "cpu.cfs_period_us").write_text(str(PERIOD))
                (group / "cpu.cfs_quota_us").write_text(str(int(PERIOD * share)))
            else:
                (group / "cpu.max").write_text(f"{int(PERIOD * share)} {PERIOD}")
            move(pid, group)
        yield
    finally:
        for group in groups.values():
            if group.exists():
                empty(group, base)
                wait_until("a control group to be empty", lambda group=group: gone(group), 20)


def move(pid, group):
    """The process and its children, some of which may end or begin meanwhile."""
    for _ in range(2):
        for one in family(pid):
            with contextlib.suppress(OSError):
                (group / "cgroup.procs").write_text(str(one))


def empty(group, base):
    """Everything in it goes back to the top."""
    for pid in (group / "cgroup.procs").read_text().split():
        with contextlib.suppress(OSError):
            (base / "cgroup.procs").write_text(pid)


def gone(group):
    """Whether it could be taken away."""
    try:
        group.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        empty(group, group.parent)
        return False
    return True
