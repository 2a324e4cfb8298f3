# SPDX-License-Identifier: Apache-2.0
"""What linters say of manifests, scripts and recipes; each check that is passed over has a reason."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import manifests

HERE = Path(__file__).resolve().parent
BIN = Path(sys.executable).parent
DEPLOY = manifests.REPOSITORY / "deploy"

# Checks of checkov that these manifests do not pass, and why.
SKIPPED = {
    "CKV_K8S_11": "a limit of CPU could keep Patroni from renewing its lock in time",
    "CKV_K8S_15": "images have versions, and kind has them on the node only",
    "CKV_K8S_35": "Patroni takes its passwords from the environment, and hides them from PostgreSQL",
    "CKV_K8S_38": "Patroni and martlet talk to the API; all others mount no token",
    "CKV_K8S_40": "999 is the user of PostgreSQL's image, whom EFS and volumes must belong to",
    "CKV_K8S_43": "digests are those of a registry, which the operator's overlay names",
    "CKV_K8S_8": "CronJobs and the receiver of the log serve nobody",
    "CKV_K8S_9": "CronJobs serve nobody",
}


def run(*command, **more):
    """A tool of the virtual environment."""
    environment = os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "CHECKOV_RUN_SCA_PACKAGE_SCAN": "false"}
    return subprocess.run([str(one) for one in command], capture_output=True, text=True,
                          env=environment, timeout=300, **more)


def scripts():
    """Every shell script that is deployed or tests it."""
    for root in (DEPLOY, HERE):
        for path in sorted(root.rglob("*")):
            if not path.is_file() or ".build" in path.parts or "local" in path.parts:
                continue
            with path.open("rb") as file:
                first = file.readline()
            if path.suffix == ".sh" or (first.startswith(b"#!") and b"sh" in first and
                                        b"python" not in first):
                yield path


def dockerfiles():
    """Every recipe of an image."""
    return sorted(DEPLOY.glob("images/*/Dockerfile*"))


def test_yamllint():
    """All manifests, as they are written."""
    done = run(BIN / "yamllint", "-s", "-f", "parsable", "-c", HERE / "yamllint.yaml",
               manifests.ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_shellcheck():
    """All scripts, those in ConfigMaps included."""
    found = list(scripts())
    assert len(found) > 5
    done = run(BIN / "shellcheck", "-x", "-P", "SCRIPTDIR", *found, cwd=manifests.REPOSITORY)
    assert done.returncode == 0, done.stdout + done.stderr


def test_shellcheck_of_config_maps(tmp_path, variants):
    """A script in a ConfigMap is one, too."""
    seen = {}
    for objects in variants.values():
        for one in objects:
            if one["kind"] == "ConfigMap":
                for key, text in one["data"].items():
                    if text.startswith("#!"):
                        seen[key] = text
    assert "start.sh" in seen
    for key, text in seen.items():
        (tmp_path / key).write_text(text)
    done = run(BIN / "shellcheck", *sorted(tmp_path.iterdir()))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", dockerfiles(), ids=lambda path: path.parent.name)
def test_hadolint(path):
    """What hadolint says at the level of information, too."""
    done = run(BIN / "hadolint", "--failure-threshold", "info", path)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", dockerfiles(), ids=lambda path: path.parent.name)
def test_images_state_versions_and_users(path):
    """No base without a version, no root at the end."""
    text = path.read_text()
    assert "latest" not in text
    users = [line.split()[1] for line in text.splitlines() if line.startswith("USER ")]
    assert users and users[-1] in ("999:999", "65532:65532")
    for line in text.splitlines():
        if line.startswith("ARG") and "/" in line:
            assert ":" in line.split("=", 1)[1], line


# With Debian's C library, and what --static-swift-stdlib links in.
ALWAYS_THERE = re.compile(r"lib(c|m|gcc_s|dl|pthread)\.so|ld-linux|lib_?[sS]wift|"
                          r"lib(dispatch|BlocksRuntime|Foundation)")


def test_the_image_of_martlet_has_its_libraries():
    """Every library that the executable names is in a package that the recipe installs."""
    binary = manifests.REPOSITORY / ".build/release/martlet"
    if not binary.exists():
        pytest.skip("martlet is not built")
    text = (DEPLOY / "images/martlet/Dockerfile").read_text().split("FROM ${BASE}")[1]
    named = re.findall(r"NEEDED.*\[(.*)\]", run("readelf", "-d", binary).stdout)
    wanted = [one for one in named if not ALWAYS_THERE.match(one)]
    assert len(wanted) >= 3
    for library in wanted:
        owners = {line.split(":")[0] for line in run("dpkg", "-S", f"*/{library}").stdout.splitlines()}
        assert any(re.search(rf"\b{re.escape(owner)}\b", text) for owner in owners), library


@pytest.fixture(scope="module")
def checkov(tmp_path_factory, variants):
    """Every check that failed, with the resources, of all overlays and each component."""
    work = tmp_path_factory.mktemp("checkov")
    wanted = [name for name in variants if name.startswith("overlay") or name.count("+") == 1]
    seen = set()
    for number, name in enumerate(wanted):
        fresh = []
        for one in variants[name]:
            text = json.dumps(one, sort_keys=True)
            if text not in seen:
                seen.add(text)
                fresh.append(one)
        (work / f"{number}.yaml").write_text(yaml.safe_dump_all(fresh))
    done = run(BIN / "checkov", "-d", work, "--framework", "kubernetes", "--compact", "--quiet",
               "--skip-download", "-o", "json")
    report = json.loads(done.stdout)
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 500
    found = {}
    for one in report["results"]["failed_checks"]:
        found.setdefault(one["check_id"], []).append(f"{one['check_name']}: {one['resource']}")
    return found


def test_checkov(checkov):
    """All checks but those that are passed over for a reason."""
    rest = {name: places[:5] for name, places in checkov.items() if name not in SKIPPED}
    assert not rest, json.dumps(rest, indent=1)


def test_nothing_is_passed_over_for_nothing(checkov):
    """A reason that no manifest needs any more goes away."""
    assert set(SKIPPED) <= set(checkov), set(SKIPPED) - set(checkov)
