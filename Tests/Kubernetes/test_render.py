# SPDX-License-Identifier: Apache-2.0
"""kubectl renders everything that may be combined, refuses what may not, and takes files singly."""

import itertools
import json

import pytest
import yaml

import manifests


def test_every_file_stands_by_itself():
    """What the kustomization of the base puts together is what its files are, one after another."""
    names = yaml.safe_load((manifests.BASE / "kustomization.yaml").read_text())["resources"]
    alone = [one for name in names for one in manifests.parse((manifests.BASE / name).read_text())]
    together = manifests.render((), namespace=None)
    assert sorted(map(manifests.title, alone)) == sorted(map(manifests.title, together))
    def canonical(objects):
        return sorted(json.dumps(one, sort_keys=True) for one in objects)

    assert canonical(alone) == canonical(together)
    there = {path.name for path in manifests.BASE.glob("*.yaml")} - {"kustomization.yaml"}
    assert there == set(names)


def test_the_manuals_files_are_there():
    """The manual's `kubectl apply -f` finds each file under its name."""
    there = {path.name for path in manifests.BASE.glob("*.yaml")}
    assert {"postgresql.yaml", "postgres-readonly.yaml", "postgres-security.yaml"} <= there


def test_documents_are_separate():
    """No document has a key twice, which loses all but the last object."""
    class Strict(yaml.SafeLoader):
        """Refuses a key that is there twice."""

    def mapping(loader, node):
        keys = [loader.construct_object(key) for key, _ in node.value]
        assert len(keys) == len(set(keys)), f"{node.start_mark}: {keys}"
        return yaml.SafeLoader.construct_mapping(loader, node, deep=True)

    Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    for path in manifests.ROOT.rglob("*.yaml"):
        list(yaml.load_all(path.read_text(), Loader=Strict))


def test_all_that_goes_together_renders(variants):
    """Rendered by the fixture; here that none is missing, and that each component does something."""
    assert len(variants) == len(manifests.overlay_names()) + len(manifests.telling_combinations())
    plain = manifests.render()
    for name in manifests.component_names():
        assert manifests.render((name,)) != plain, f"{name} changes nothing"


@pytest.mark.parametrize(
    "pair", [pair for group in manifests.EXCLUSIVE for pair in itertools.permutations(group, 2)],
    ids=" then ".join)
def test_what_excludes_each_other_does_not_render(pair):
    """Two choices of one kind are refused, in either order, and not silently mixed."""
    with pytest.raises(manifests.RenderingFailed) as failure:
        manifests.render(pair)
    assert "test failed" in str(failure.value) or "already registered id" in str(failure.value)
