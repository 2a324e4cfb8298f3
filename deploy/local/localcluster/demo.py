# SPDX-License-Identifier: Apache-2.0
"""The commands of deploy/local/demo, after that script has set everything up."""

import argparse
import fcntl
import os
import signal
import sys
import time
from pathlib import Path

from .cluster import PATRONI_VERSIONS, POSTGRES_VERSIONS, Cluster, Settings, home
from .load import generate_load
from .ports import DEMO, require_free
from .processes import Failure
from .proxy import Martlet, create_demo_user
from .view import watch

NAME = "demo"


def arguments():
    """What the command line says; deploy/local/demo has checked it."""
    parser = argparse.ArgumentParser(prog="deploy/local/demo", add_help=False)
    commands = ["precheck", "start", "view", "status", "load", "stop"]
    parser.add_argument("command", choices=commands)
    parser.add_argument("--repository", type=Path)
    parser.add_argument("--detach", action="store_true")
    parser.add_argument("--cluster-only", action="store_true")
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--postgres", type=int, default=15, choices=POSTGRES_VERSIONS)
    parser.add_argument("--patroni", default="4.1.5", choices=PATRONI_VERSIONS)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--writes", type=float, default=10)
    parser.add_argument("--seconds", type=float)
    return parser.parse_args()


def say(text):
    """One line of progress."""
    print(f"==> {text}", file=sys.stderr, flush=True)


def left_behind():
    """What an earlier demo left that was not ended properly; fails while one runs."""
    running = Cluster.load(NAME)
    if running and running.etcd.alive:
        raise Failure(
            "the demo runs already: `deploy/local/demo view` shows it, `... stop` ends it"
        )
    return running


def precheck(chosen):
    """Says before a build of minutes what would prevent the start after it."""
    held = lock()
    if not left_behind():
        require_free(DEMO, chosen.nodes)
    held.close()
    return 0


def start(chosen):
    """Starts all of it; shows it until interrupted, unless it is to be left alone."""
    held = lock()
    running = left_behind()
    if running:
        say("an earlier demo ended untidily; ending what is left of it")
        stop_all(running)
    settings = Settings(
        NAME, DEMO, nodes=chosen.nodes, postgres=chosen.postgres, patroni=chosen.patroni
    )
    cluster = Cluster(settings)
    martlet = Martlet(cluster, chosen.repository / ".build/release/martlet")
    try:
        start_all(cluster, martlet, chosen.cluster_only)
        print(summary(cluster, martlet), flush=True)
        if chosen.detach:
            return 0
        # From now on `demo stop` in another terminal may end it, too.
        held.close()
        show(cluster, martlet, "Ctrl-C ends the demo")
    except KeyboardInterrupt:
        print(file=sys.stderr)
    except BaseException:
        stop_all(cluster)
        raise
    stop_all(cluster)
    return 0


def start_all(cluster, martlet, cluster_only):
    """The cluster, then the user, then martlet."""
    began = time.monotonic()
    cluster.start(lambda text: say(f"starting {text}"))
    create_demo_user(cluster)
    if not cluster_only:
        say("starting martlet")
        martlet.create_account()
        martlet.write_configuration()
        martlet.start()
    say(f"all of it runs after {time.monotonic() - began:.1f} s")


def show(cluster, martlet, ending):
    """The view, or without martlet just the wait for the end."""
    if martlet.process.alive:
        watch(cluster, martlet, ending)
    else:
        say(ending)
        while cluster.etcd.alive:
            time.sleep(0.5)


def summary(cluster, martlet):
    """Ports and addresses."""
    ports = cluster.settings.ports
    lines = []
    if martlet.process.alive:
        lines = [
            f"  application   postgresql://demo:demo@127.0.0.1:{ports.martlet}/demo",
            f"  martlet HTTP  {martlet.url}/metrics /topology /healthz /readyz",
        ]
    for index, name in enumerate(cluster.names):
        lines.append(
            f"  node {name}      PostgreSQL 127.0.0.1:{ports.postgres_of(index)}"
            f"   Patroni {cluster.patroni_url(index)}"
        )
    lines.append(f"  etcd          http://127.0.0.1:{ports.etcd}")
    lines.append(f"  logs          {cluster.logs}")
    if martlet.process.alive:
        lines.append(f"  configuration {martlet.configuration}")
    lines.append(f"  superuser     postgres, password {cluster.settings.passwords['postgres']}")
    return "\n".join(lines)


def stop_all(cluster):
    """martlet first, so that it does not report every node as lost."""
    # Half-ended is the worst state to leave; the waits below are all bounded.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    say("ending the demo")
    Martlet(cluster, None).stop()
    cluster.stop()
    say(f"ended; the logs are in {cluster.logs}")


def stop():
    """Ends what was left running."""
    held = lock()
    cluster = Cluster.load(NAME)
    if not cluster:
        print("nothing runs")
        return 0
    stop_all(cluster)
    held.close()
    return 0


def status():
    """What runs; 0 when all of it does."""
    cluster = Cluster.load(NAME)
    if not cluster:
        print("nothing runs")
        return 3
    martlet = Martlet(cluster, None)
    processes = [cluster.etcd, *cluster.patroni, martlet.process]
    for process in processes:
        print(f"{process.name:14} " + (f"process {process.pid}" if process.alive else "ended"))
    for member in cluster.members():
        print(
            f"{member['name']:14} {member['role']}, {member['state']},"
            f" timeline {member.get('timeline')}"
        )
    print(summary(cluster, martlet))
    return 0 if all(process.alive for process in processes) else 1


def require_running():
    """The cluster and martlet that run."""
    cluster = Cluster.load(NAME)
    if not cluster or not cluster.etcd.alive:
        raise Failure("nothing runs; start it with deploy/local/demo --detach")
    return cluster, Martlet(cluster, None)


def lock():
    """Two starts at once would fight for the same files."""
    file = (home() / f"{NAME}.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Failure("another deploy/local/demo is at work; stop that one first") from None
    return file


def perform(chosen):
    """Runs the command."""
    if chosen.command == "status":
        return status()
    if chosen.command in ("view", "load"):
        cluster, martlet = require_running()
        try:
            if chosen.command == "load":
                return generate_load(cluster.settings.ports.martlet, chosen)
            show(cluster, martlet, "Ctrl-C leaves the view; the demo goes on")
        except KeyboardInterrupt:
            pass
        return 0
    if chosen.command == "precheck":
        return precheck(chosen)
    return start(chosen) if chosen.command == "start" else stop()


def main():
    """Turns failures into messages, and the ways of being ended into one."""

    def interrupted(number, frame):
        raise KeyboardInterrupt

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupted)
    try:
        return perform(arguments())
    except Failure as failure:
        print(f"error: {failure}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # `status | head`: nobody reads on, and Python must not complain when it flushes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
