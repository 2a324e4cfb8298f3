# SPDX-License-Identifier: Apache-2.0
"""The small API itself: what it is relied upon for."""

import pytest
from harness.api import _event
from harness.rights import Rights
from harness.store import Refusal, Store, merged, selects


def pod(name, **labels):
    return {"metadata": {"name": name, "labels": labels, "annotations": {}}}


def test_a_patch_of_an_old_version_is_a_conflict():
    store = Store("databases")
    first = store.create("pods", pod("a"))
    store.patch("pods", "a", {"metadata": {"labels": {"x": "1"}}})
    old = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}}
    for change in (store.patch, store.replace):
        with pytest.raises(Refusal) as refusal:
            change("pods", "a", old)
        assert refusal.value.code == 409
    with pytest.raises(Refusal) as refusal:
        store.create("pods", pod("a"))
    assert refusal.value.reason == "AlreadyExists"


def test_a_patch_without_effect_makes_no_version():
    store = Store("databases")
    first = store.create("pods", pod("a", x="1"))
    again = store.patch("pods", "a", {"metadata": {"labels": {"x": "1"}}})
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_patch_with_null_removes():
    assert merged({"a": {"b": "1", "c": "2"}}, {"a": {"b": None}}) == {"a": {"c": "2"}}


def test_versions_that_are_forgotten_are_gone():
    store = Store("databases")
    version, _ = store.list("pods")
    store.create("pods", pod("a"))
    assert len(store.since("pods", version)[1]) == 1
    store.forget()
    with pytest.raises(Refusal) as refusal:
        store.since("pods", version)
    assert refusal.value.code == 410


def test_a_watch_with_a_selector_sees_what_comes_and_goes():
    def matches(item):
        return selects("role=primary", item["metadata"]["labels"])
    before, after = pod("a", role="primary"), pod("a")
    for one, version in ((before, "1"), (after, "2")):
        one["metadata"]["resourceVersion"] = version
    assert _event(before, before, matches)["type"] == "MODIFIED"
    assert _event(None, before, matches)["type"] == "ADDED"
    left = _event(before, after, matches)
    assert left["type"] == "DELETED" and left["object"]["metadata"]["resourceVersion"] == "2"
    assert _event(after, after, matches) is None


def test_rights_by_name_do_not_reach_lists():
    role = {"kind": "Role", "metadata": {"name": "r"}, "rules": [
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["one"],
         "verbs": ["get", "list", "create"]}]}
    binding = {"kind": "RoleBinding", "metadata": {"name": "r"},
               "roleRef": {"kind": "Role", "name": "r"},
               "subjects": [{"kind": "ServiceAccount", "name": "s"}]}
    rights = Rights([role, binding], "databases")
    assert rights.allows("s", "get", "configmaps", "one", "databases")
    assert not rights.allows("s", "get", "configmaps", "two", "databases")
    assert not rights.allows("s", "list", "configmaps", "", "databases")
    assert not rights.allows("s", "create", "configmaps", "", "databases")
    assert not rights.allows("s", "get", "configmaps", "one", "default")
    assert not rights.allows("t", "get", "configmaps", "one", "databases")
