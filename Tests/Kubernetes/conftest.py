# SPDX-License-Identifier: Apache-2.0
"""The manifests of deploy/kubernetes, rendered once for all tests (MARTLET_LOCAL_HOME: see setup.sh)."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.dont_write_bytecode = True

import manifests  # noqa: E402


@pytest.fixture(scope="session")
def variants():
    """Name and objects of everything that can be deployed; not to be changed."""
    return manifests.variants()


@pytest.fixture(scope="session")
def base():
    """The objects of the base, in a namespace; not to be changed."""
    return manifests.render()
