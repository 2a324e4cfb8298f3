# SPDX-License-Identifier: Apache-2.0
"""The rendered manifests, run by real processes against a small Kubernetes.

MARTLET_TEST_BINARY  the martlet to test; else .build/release, else .build/debug
"""

import os
import sys
from pathlib import Path

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))

from harness.image import Image  # noqa: E402
from harness.kube import Kube  # noqa: E402
from harness.manifests import REPOSITORY, make_secret, render  # noqa: E402
from harness.settings import DIRECTORY, PASSWORDS  # noqa: E402


@pytest.fixture(scope="session")
def martlet_binary():
    """The executable to test."""
    chosen = os.environ.get("MARTLET_TEST_BINARY")
    candidates = [Path(chosen)] if chosen else [
        REPOSITORY / f".build/{kind}/martlet" for kind in ("release", "debug")]
    found = next((path for path in candidates if path.exists()), None)
    if not found:
        pytest.skip("martlet is not built")
    return found


@pytest.fixture(scope="session")
def objects():
    """The overlay of the tests, and the Secret that the README's script makes."""
    return [*render(Path(__file__).parent / "overlay"), make_secret(**PASSWORDS)]


@pytest.fixture(scope="session")
def bare_kube(objects):
    """The API, names and network, with nothing running yet."""
    if os.geteuid() != 0:
        pytest.skip("namespaces need root")
    one = Kube(DIRECTORY, objects)
    yield one
    one.stop()


@pytest.fixture(scope="session")
def kube(bare_kube):
    """Three members that stream, shared by all tests, which run in the order of their files."""
    for index in range(3):
        bare_kube.start_member(index)
    bare_kube.wait_streaming([f"postgres-cluster-{index}" for index in range(3)], 120)
    return bare_kube


@pytest.fixture(scope="session")
def martlet_image(bare_kube, martlet_binary):
    """What stands for martlet's image."""
    bare_kube.images["martlet"] = Image("martlet", bare_kube.directory, binary=martlet_binary)
    return bare_kube.images["martlet"]
