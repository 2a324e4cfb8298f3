# SPDX-License-Identifier: Apache-2.0
"""The rendered manifests, and what the kubelet makes of them: environment, files, volumes."""

import base64
import re
import subprocess
from functools import cache
from pathlib import Path

import yaml

from .settings import PATH

REPOSITORY = Path(__file__).resolve().parents[4]
DEPLOY = REPOSITORY / "deploy"


@cache
def _render(directory):
    text = subprocess.run(
        ["kubectl", "kustomize", str(directory)], check=True, capture_output=True, text=True,
        env={"PATH": PATH},
    ).stdout
    return text


def render(directory):
    """All objects of a kustomization."""
    return [o for o in yaml.safe_load_all(_render(directory)) if o]


def make_secret(**given):
    """The Secret `db`, by the script that operators run."""
    text = subprocess.run(
        [DEPLOY / "scripts/make-secret.sh", "--print"], check=True, capture_output=True,
        text=True, env={"PATH": PATH, **given},
    ).stdout
    return yaml.safe_load(text)


class Manifests:
    """Objects by kind and name."""

    def __init__(self, objects):
        self.objects = objects

    def find(self, kind, name):
        """The one object of a kind and name."""
        found = [o for o in self.objects
                 if o["kind"] == kind and o["metadata"]["name"] == name]
        assert len(found) == 1, f"{len(found)} objects {kind}/{name}"
        return found[0]

    def of_kind(self, kind):
        """All of a kind."""
        return [o for o in self.objects if o["kind"] == kind]

    def data(self, kind, name):
        """A ConfigMap's or Secret's values, as text."""
        found = self.find(kind, name)
        values = dict(found.get("data") or {})
        if kind == "Secret":
            values = {k: base64.b64decode(v).decode() for k, v in values.items()}
            values.update(found.get("stringData") or {})
        return values

    def environment(self, container, pod):
        """A container's variables, with references resolved as the kubelet does."""
        result = {}
        for source in container.get("envFrom", []):
            for key, kind in (("configMapRef", "ConfigMap"), ("secretRef", "Secret")):
                if key in source:
                    result.update(self.data(kind, source[key]["name"]))
        for entry in container.get("env", []):
            result[entry["name"]] = self._value(entry, pod, result)
        return result

    def _value(self, entry, pod, known):
        if "value" in entry:
            return re.sub(r"\$\(([A-Za-z_0-9]+)\)",
                          lambda m: known.get(m.group(1), m.group(0)), str(entry["value"]))
        source = entry["valueFrom"]
        if "fieldRef" in source:
            place = pod
            for step in source["fieldRef"]["fieldPath"].split("."):
                place = place[step]
            return place
        for key, kind in (("secretKeyRef", "Secret"), ("configMapKeyRef", "ConfigMap")):
            if key in source:
                values = self.data(kind, source[key]["name"])
                if source[key]["key"] not in values and source[key].get("optional"):
                    return ""
                return values[source[key]["key"]]
        raise AssertionError(f"no value for {entry}")

    def files(self, volume):
        """{path: (text, mode)} of a volume of ConfigMaps or Secrets; None for another kind."""
        if "projected" in volume:
            result = {}
            for source in volume["projected"]["sources"]:
                for key, kind in (("configMap", "ConfigMap"), ("secret", "Secret")):
                    if key in source:
                        result.update(self._items(kind, source[key]["name"], source[key]))
            return result
        if "configMap" in volume:
            return self._items("ConfigMap", volume["configMap"]["name"], volume["configMap"])
        if "secret" in volume:
            return self._items("Secret", volume["secret"]["secretName"], volume["secret"])
        return None

    def _items(self, kind, name, source):
        try:
            values = self.data(kind, name)
        except AssertionError:
            if source.get("optional"):
                return {}
            raise
        mode = source.get("defaultMode", 0o644)
        items = source.get("items") or [{"key": k, "path": k} for k in values]
        return {item["path"]: (values[item["key"]], item.get("mode", mode)) for item in items}
