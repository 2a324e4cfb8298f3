# SPDX-License-Identifier: Apache-2.0
"""libpq_pipeline of PostgreSQL's own sources: every case, and every message that it traces."""

import subprocess

import pytest
from localcluster.cluster import home
from support.endpoint import PASSWORD, USER

PROGRAM = home() / "conformance-programs/libpq_pipeline"
TRACES = home() / "conformance-programs/postgresql/traces"
CASES = """disallowed_in_pipeline multi_pipelines nosync pipeline_abort pipeline_idle
pipelined_insert prepared simple_pipeline singlerow transaction uniqviol""".split()


def run(case, port, trace=None):
    """The lines that the server's side of the case is traced as."""
    words = ["-t", trace] if trace else []
    done = subprocess.run(
        [PROGRAM, *words, "-r", "700", case,
         f"host=127.0.0.1 port={port} user={USER} dbname=pipeline"],
        env={"PGPASSWORD": PASSWORD}, capture_output=True, text=True, timeout=250, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return trace.read_text().splitlines() if trace else []


@pytest.fixture(scope="module")
def port(cluster, martlet):
    """Of a martlet that has a database for these cases."""
    cluster.run("DROP DATABASE IF EXISTS pipeline WITH (FORCE)")
    cluster.run(f"CREATE DATABASE pipeline OWNER {USER}")
    # It asks for untranslated messages.
    cluster.run(f"GRANT SET ON PARAMETER lc_messages TO {USER}")
    cluster.wait_replayed()
    return martlet.port


def test_all_cases_are_known():
    found = subprocess.run([PROGRAM, "tests"], capture_output=True, text=True, check=True)
    assert found.stdout.split() == CASES


@pytest.mark.parametrize("cluster", ["15"], indirect=True, scope="session")
@pytest.mark.parametrize("case", CASES)
def test_case(case, port, tmp_path):
    expected = TRACES / f"{case}.trace"
    found = run(case, port, tmp_path / "trace" if expected.exists() else None)
    if expected.exists():
        assert found == expected.read_text().splitlines()
