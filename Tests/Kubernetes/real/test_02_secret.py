# SPDX-License-Identifier: Apache-2.0
"""deploy/scripts/make-secret.sh: what it makes, what it keeps, what it shows."""

import base64
import json
import shutil
import subprocess

import pytest
import yaml
from harness.manifests import DEPLOY
from harness.settings import PASSWORDS, PATH

# The real kubectl makes manifests; what would go to the API goes to a file.
KUBECTL = """#!/bin/bash
state={state}
for one in "$@"; do if [[ $one == --dry-run=client ]]; then exec {kubectl} "$@"; fi; done
case "$*" in
*"get secret db"*) cat "$state" 2>/dev/null || true ;;
*"create -f -") cat >"$state.yaml" ;;
*"patch secret db --type merge --patch-file "*) cp "${{@: -1}}" "$state.yaml" ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def make(tmp_path):
    """Runs the script over a Secret that is there already; gives the one that it sends."""
    state = tmp_path / "secret"
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL.format(state=state, kubectl=shutil.which("kubectl", path=PATH)))
    program.chmod(0o755)

    def run(present=None, **given):
        if present:
            state.write_text(json.dumps({"data": {
                k: base64.b64encode(v.encode()).decode() for k, v in present.items()}}))
        done = subprocess.run(
            [DEPLOY / "scripts/make-secret.sh", "-n", "databases"], check=True, text=True,
            capture_output=True, env={"PATH": f"{tmp_path}:{PATH}", **given})
        sent = yaml.safe_load((tmp_path / "secret.yaml").read_text())
        values = {k: base64.b64decode(v).decode() for k, v in sent["data"].items()}
        for value in values.values():
            assert value not in done.stdout + done.stderr
        return values
    return run


def test_every_key_is_made_and_no_two_are_the_same(make):
    made, again = make(), make()
    assert set(made) == set(PASSWORDS)
    assert all(len(value) == 32 and value.isalnum() for value in made.values())
    assert len(set(made.values()) | set(again.values())) == 2 * len(made)


def test_what_the_user_gives_is_taken(make):
    made = make(POSTGRES_PASSWORD="s3cret: 'of' mine", APP_PASSWORD="another")
    assert made["POSTGRES_PASSWORD"] == "s3cret: 'of' mine" and made["APP_PASSWORD"] == "another"


def test_what_is_there_is_kept(make):
    """A Secret that was made by hand with two keys: the rest is added."""
    present = {"POSTGRES_PASSWORD": "old", "POSTGRES_REPLICATION_PASSWORD": "older"}
    made = make(present)
    assert present.items() <= made.items() and set(made) == set(PASSWORDS)
