# SPDX-License-Identifier: Apache-2.0
"""Every object is valid, strictly: unknown fields are errors, for Kubernetes 1.30 to 1.37.

What other projects define is checked by schemas/, written after their reference pages with the
fields that are used here.
"""

import copy
import functools
import json
import warnings
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest

import manifests

VERSIONS = [f"1.{minor}" for minor in range(30, 38)]
SCHEMAS = Path(__file__).resolve().parent / "schemas"


@functools.lru_cache(maxsize=None)
def foreign(kind):
    """The schema of a custom resource, or None."""
    path = SCHEMAS / f"{kind.lower()}.json"
    return json.loads(path.read_text()) if path.exists() else None


@pytest.fixture(scope="session")
def distinct(variants):
    """Each object once, however many variants it is in."""
    return {json.dumps(one, sort_keys=True, default=str): one
            for objects in variants.values() for one in objects}


@pytest.mark.parametrize("version", VERSIONS)
def test_valid(version, distinct):
    """As kubernetes-validate has the API of this version."""
    problems = []
    for one in distinct.values():
        if foreign(one["kind"]):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                kubernetes_validate.validate(one, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            problems.append(f"{manifests.title(one)}: {error.message}")
        except kubernetes_validate.SchemaNotFoundError:
            problems.append(f"{manifests.title(one)}: unknown in {version}")
    assert not problems, "\n".join(sorted(set(problems))[:20])


def test_custom_resources(distinct):
    """PodMonitor, PrometheusRule, ScaledObject, Certificate, Issuer."""
    seen, problems = set(), []
    for one in distinct.values():
        schema = foreign(one["kind"])
        if not schema:
            continue
        seen.add(one["kind"])
        for error in jsonschema.Draft202012Validator(schema).iter_errors(one):
            problems.append(f"{manifests.title(one)}: {error.json_path} {error.message}")
    assert not problems, "\n".join(sorted(set(problems))[:20])
    assert seen == {"PodMonitor", "PrometheusRule", "ScaledObject", "Certificate", "Issuer"}


def test_an_unknown_field_is_an_error(distinct):
    """In one of ours and in one of theirs: strict means strict."""
    one = copy.deepcopy(manifests.named(manifests.render(), "StatefulSet", "postgres-cluster"))
    one["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(one, VERSIONS[-1], strict=True)
    for other in distinct.values():
        schema = foreign(other["kind"])
        if schema:
            broken = copy.deepcopy(other)
            broken["spec"]["unknownField"] = True
            assert not jsonschema.Draft202012Validator(schema).is_valid(broken), other["kind"]


def test_quantities_and_templates_agree():
    """The container "patroni" is the same in members and readers but for what makes a reader."""
    objects = manifests.render()
    member = manifests.named(objects, "StatefulSet", "postgres-cluster")["spec"]["template"]["spec"]
    reader = manifests.named(objects, "Deployment", "postgres-readonly")["spec"]["template"]["spec"]
    assert member["securityContext"] == reader["securityContext"]
    first, second = dict(member["containers"][0]), dict(reader["containers"][0])
    # The drain, and what only the first primary needs.
    assert second.pop("lifecycle")
    environments = [{one["name"]: one for one in spec.pop("env")} for spec in (first, second)]
    only_members = set(environments[0]) - set(environments[1])
    assert only_members == {"POSTGRES_DB", "POSTGRES_USER", "APP_PASSWORD", "MARTLET_PASSWORD"}
    assert all(environments[0][name] == one for name, one in environments[1].items())
    mounts = [{one["name"]: one for one in spec.pop("volumeMounts")} for spec in (first, second)]
    assert mounts[0] == mounts[1]
    assert first == second
