# SPDX-License-Identifier: Apache-2.0
"""Where the processor's time of a proxy goes: sampled stacks, as shares and as a flame graph."""

import collections
import re
import subprocess

from localcluster.processes import Failure

from . import load
from .plots import frame, text
from .usage import family

# Who a sample belongs to, by the innermost function of it that is named here; first match first.
GROUPS = (
    ("kernel: waking the receiver", r"try_to_wake_up|__wake_up|ep_poll_callback|sock_def_readable"),
    ("kernel: sending, the receiver's TCP included", r"tcp_sendmsg|__sys_sendto|__x64_sys_sendto"),
    ("kernel: receiving", r"tcp_recvmsg|__sys_recvfrom|__x64_sys_recvfrom"),
    ("kernel: epoll_wait", r"ep_poll|do_epoll_wait|__x64_sys_epoll_wait"),
    ("kernel: the rest", r"entry_SYSCALL|syscall_|do_syscall|asm_|schedule|__x64_sys"),
    ("OpenSSL", r"^(SSL_|EVP_|BN_|EC_|ossl_|OPENSSL_|CRYPTO_|tls_|bn_|sha\d)"),
    ("memory and reference counts", r"swift_(retain|release|alloc|dealloc|slow)|^malloc|^free|_int_"),
    ("classifier", r"Scanner|Lexer|StatementClassifier|Classification"),
    ("core", r"Pooler\.|ByteQueue|OutstandingReplies|UnitOfWork|ParameterSet|NodeLoads|ReplicaChoice"),
    ("event loop and sockets", r"PoolerDriver|ConnectionTable|Shard\.|EpollSet|Socket\.|recv|send"),
)


def profile(proxy, data, seconds=5, mode="simple", clients=64):
    """Stacks of a proxy under pgbench, outermost function first: `{stack: samples}`."""
    def wait(seconds):
        pids = ",".join(str(pid) for pid in family(proxy.pid))
        run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "2000", "-g", "-o", str(data),
             "-p", pids, "--", "sleep", str(seconds)])

    load.pgbench(proxy.port, proxy.pid, seconds, mode, clients, wait=wait)
    found = run(["perf", "script", "-i", str(data), "-F", "comm,ip,sym", "--demangle-kernel"])
    data.unlink()
    return stacks(found)


def run(words):
    """The output of a command that must succeed."""
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=300)
    if done.returncode:
        raise Failure(f"{words[0]} {words[1]} failed:\n{done.stderr[:400]}")
    return done.stdout


def stacks(script):
    """What `perf script` prints, counted."""
    found = collections.Counter()
    for sample in re.split(r"\n\s*\n", script):
        lines = sample.strip("\n").splitlines()[1:]
        names = [line.split(None, 1)[1].strip() for line in lines if len(line.split(None, 1)) > 1]
        if names:
            found[tuple(reversed(names))] += 1
    if not found:
        raise Failure("perf recorded nothing")
    return demangled(found)


def demangled(found):
    """Swift's names as they are written; others as they are."""
    names = sorted({name for stack in found for name in stack if name.startswith("$s")})
    if not names:
        return found
    done = subprocess.run(["swift-demangle", "--simplified", "--compact"], text=True, check=False,
                          input="\n".join(names), capture_output=True)
    words = dict(zip(names, done.stdout.splitlines())) if done.returncode == 0 else {}
    shorter = collections.Counter()
    for stack, count in found.items():
        shorter[tuple(words.get(name, name) for name in stack)] += count
    return shorter


def shares(found):
    """`[(group, share of all samples)]`, the largest first."""
    counts = collections.Counter()
    for stack, count in found.items():
        counts[group(stack)] += count
    total = sum(counts.values())
    return [(name, count / total) for name, count in counts.most_common()]


def group(stack):
    """Whose time it is."""
    for name in reversed(stack):
        for title, pattern in GROUPS:
            if re.search(pattern, name):
                return title
    return "others"


def flame_graph(found, title):
    """One rectangle a function, as wide as its share, on top of its caller."""
    width, left, step = 1180, 10, 17
    total = sum(found.values())
    tree = {}
    for stack, count in found.items():
        level = tree
        for name in stack:
            node = level.setdefault(name, [0, {}])
            node[0] += count
            level = node[1]
    boxes = []

    def place(level, x, depth):
        for name, (count, below) in sorted(level.items()):
            wide = count / total * (width - 2 * left)
            if wide >= 0.7:
                boxes.append((x, depth, wide, name, count / total))
                place(below, x, depth + 1)
            x += wide

    place(tree, left, 0)
    deepest = max(box[1] for box in boxes)
    height = 60 + (deepest + 1) * step
    parts = [text(left, 28, title, size=17, weight="bold")]
    for x, depth, wide, name, share in boxes:
        y = height - 14 - (depth + 1) * step
        fill = colour(name)
        words = name if len(name) * 6.2 < wide else name[:int(wide / 6.2)] if wide > 30 else ""
        parts.append(f'<g><title>{escaped(name)} {share:.1%}</title>'
                     f'<rect x="{x:.1f}" y="{y}" width="{max(wide - 0.5, 0.3):.1f}" height="{step - 1}"'
                     f' fill="{fill}"/>' + (text(x + 3, y + 12, words, size=10) if words else "")
                     + "</g>")
    return frame(width, height, parts)


def escaped(name):
    """For an attribute or a title of SVG."""
    return name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def colour(name):
    """Warm for martlet's own, blue for the kernel and the C library."""
    is_own = "." in name or name.startswith(("swift_", "$s", "closure", "specialized"))
    return "#f0b27a" if is_own else "#a9cce3"
