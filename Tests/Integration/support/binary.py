# SPDX-License-Identifier: Apache-2.0
"""The martlet to test."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


def binary():
    """MARTLET_TEST_BINARY, or what was built last for release, or else for debugging."""
    chosen = os.environ.get("MARTLET_TEST_BINARY")
    candidates = [Path(chosen)] if chosen else []
    candidates += [REPOSITORY / f".build/{kind}/martlet" for kind in ("release", "debug")]
    return next((path for path in candidates if path.exists()), candidates[0])
