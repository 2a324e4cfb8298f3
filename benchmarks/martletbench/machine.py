# SPDX-License-Identifier: Apache-2.0
"""What was measured on what."""

import os
import platform
import resource
import subprocess
import time
from pathlib import Path


def first_line(words):
    """The first line that a command prints, or nothing."""
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    except OSError:
        return ""
    return (done.stdout + done.stderr).strip().split("\n", 1)[0]


def describe(binaries):
    """Processor, kernel and versions."""
    models = [line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().split("\n")
              if line.startswith("model name")]
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": f"{os.cpu_count()} cores, {models[0] if models else 'unknown'}",
        "memory": f"{pages / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "descriptors": f"{resource.getrlimit(resource.RLIMIT_NOFILE)[0]:,} for each process",
        "PostgreSQL": first_line([str(binaries / "postgres"), "--version"]),
        "pgbench": first_line(["pgbench", "--version"]),
        "Swift": first_line(["swift", "--version"]),
    }
