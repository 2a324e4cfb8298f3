# SPDX-License-Identifier: Apache-2.0
"""Environment variables are known to whoever reads them, and refer to what comes before them."""

import functools
import os
import re
from unittest import mock

from patroni.config import Config

from manifests import REPOSITORY, containers, pod_templates, title

REFERENCE = re.compile(r"\$\(([A-Za-z_][A-Za-z0-9_]*)\)")
# Read by patronictl as the path of its configuration, not as a setting.
NOT_SETTINGS = {"PATRONICTL_CONFIG_FILE"}
# Read in pairs: Patroni takes a user only with a name.
PARTNERS = {"PASSWORD": "USERNAME", "USERNAME": "PASSWORD"}


@functools.lru_cache(maxsize=None)
def patroni_knows(name):
    """Whether Patroni's own code makes a setting out of this variable."""
    environment = {name: "8008", "PATH": os.environ["PATH"]}
    ending = name.rsplit("_", 1)[-1]
    if ending in PARTNERS:
        environment[name[:-len(ending)] + PARTNERS[ending]] = "x"
    with mock.patch.dict(os.environ, environment, clear=True):
        found = Config._build_environment_configuration()
    return "8008" in repr(found)


@functools.lru_cache(maxsize=None)
def martlet_settings():
    """The variables of Configuration.md, which the tests of martlet keep true."""
    text = (REPOSITORY / "Sources/martlet/Documentation.docc/Configuration.md").read_text()
    return frozenset(re.findall(r"`(MARTLET_[A-Z_]+)`", text))


def martlet_knows(name):
    """Whether martlet has a setting of this variable; an unknown one is an error at its start."""
    return name in martlet_settings()


def check_known(objects):
    """PATRONI_* and MARTLET_* of the containers that read them are settings."""
    for owner, template in pod_templates(objects):
        for container in containers(template):
            for one in container.get("env", []):
                name = one["name"]
                if name.startswith("PATRONI") and name not in NOT_SETTINGS:
                    if not patroni_knows(name):
                        yield f"{title(owner)}: Patroni does not know {name}"
                elif name.startswith("MARTLET_") and container["name"] == "martlet":
                    if not martlet_knows(name):
                        yield f"{title(owner)}: martlet does not know {name}"


def check_order(objects):
    """$(NAME) is replaced only by what stands before it; else it stays as it is."""
    for owner, template in pod_templates(objects):
        for container in containers(template):
            before = set()
            for one in container.get("env", []):
                for name in REFERENCE.findall(one.get("value", "")):
                    if name not in before:
                        yield f"{title(owner)}: {one['name']} refers to {name}, which comes later"
                if one["name"] in before:
                    yield f"{title(owner)}: {one['name']} is set twice"
                before.add(one["name"])


def check_texts(objects):
    """Values of the environment are strings."""
    for owner, template in pod_templates(objects):
        for container in containers(template):
            for one in container.get("env", []):
                if "value" in one and not isinstance(one["value"], str):
                    yield f"{title(owner)}: {one['name']} is not a string"


CHECKS = (check_known, check_order, check_texts)
