# SPDX-License-Identifier: Apache-2.0
"""The objects behind the API: versions, patches, and what has changed since when."""

import copy
import datetime
import threading
import uuid


class Refusal(Exception):
    """An answer other than success, as the API puts it."""

    def __init__(self, code, reason, message):
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message

    @property
    def status(self):
        """The body of the answer."""
        return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": self.message, "reason": self.reason, "code": self.code}


def timestamp():
    """Now, in the API's form."""
    return datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def merged(target, patch):
    """RFC 7396; over maps of strings the strategic merge does the same."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = merged(result.get(key), value)
    return result


def selects(selector, labels):
    """Equality-based selectors, `a=b,c==d,e!=f,g`."""
    for term in filter(None, (part.strip() for part in (selector or "").split(","))):
        if "!=" in term:
            key, value = term.split("!=", 1)
            if labels.get(key) == value:
                return False
        elif "=" in term:
            key, value = term.replace("==", "=").split("=", 1)
            if labels.get(key) != value:
                return False
        elif term not in labels:
            return False
    return True


class Store:
    """Objects of one namespace, by resource and name."""

    def __init__(self, namespace):
        self.namespace = namespace
        self.changed = threading.Condition()
        self.revision = 1000
        # Versions before this one are forgotten: a watch from there is 410.
        self.oldest = self.revision
        self._objects = {"pods": {}, "configmaps": {}}
        self._events = []

    def get(self, resource, name):
        """A copy, or Refusal 404."""
        with self.changed:
            if name not in self._objects[resource]:
                raise Refusal(404, "NotFound", f'{resource} "{name}" not found')
            return copy.deepcopy(self._objects[resource][name])

    def list(self, resource, matches=lambda item: True):
        """(version, copies)."""
        with self.changed:
            found = [copy.deepcopy(o) for o in self._objects[resource].values() if matches(o)]
            return self.revision, found

    def create(self, resource, body):
        """409 if it exists."""
        name = body["metadata"]["name"]
        with self.changed:
            if name in self._objects[resource]:
                raise Refusal(409, "AlreadyExists", f'{resource} "{name}" already exists')
            body = copy.deepcopy(body)
            body.setdefault("kind", {"pods": "Pod", "configmaps": "ConfigMap"}[resource])
            body.setdefault("apiVersion", "v1")
            body["metadata"].update(namespace=self.namespace, uid=str(uuid.uuid4()),
                                    creationTimestamp=timestamp())
            return self._put(resource, None, body)

    def replace(self, resource, name, body):
        """An update; 409 if the version in it is not the current one."""
        with self.changed:
            current = self.get(resource, name)
            self._require_version(current, body)
            kept = {key: current["metadata"][key] for key in ("uid", "creationTimestamp")}
            body = copy.deepcopy(body)
            body["metadata"].update(kept, namespace=self.namespace, name=name)
            return self._put(resource, current, body)

    def patch(self, resource, name, body):
        """A merge; 409 if there is a version in it that is not the current one."""
        with self.changed:
            current = self.get(resource, name)
            self._require_version(current, body)
            body = copy.deepcopy(body)
            body.get("metadata", {}).pop("resourceVersion", None)
            return self._put(resource, current, merged(current, body))

    def delete(self, resource, name):
        """Gone at once; the end of a pod's grace period is the kubelet's business."""
        with self.changed:
            current = self.get(resource, name)
            self._put(resource, current, None)

    def forget(self):
        """All versions up to now become too old, as after a compaction."""
        with self.changed:
            self.oldest = self.revision
            self._events.clear()
            self.changed.notify_all()

    def since(self, resource, version):
        """(version, [(type of the change, before, after)]) of what came later."""
        with self.changed:
            if version < self.oldest:
                raise Refusal(410, "Expired", f"too old resource version: {version}")
            return self.revision, [
                (before, after) for number, kind, before, after in self._events
                if kind == resource and number > version
            ]

    @staticmethod
    def _require_version(current, body):
        wanted = body.get("metadata", {}).get("resourceVersion")
        if wanted and wanted != current["metadata"]["resourceVersion"]:
            raise Refusal(409, "Conflict", "the object has been modified; please apply your "
                          "changes to the latest version and try again")

    def _put(self, resource, before, after):
        if after is not None and before is not None and after == before:
            return before
        self.revision += 1
        if after is None:
            gone = copy.deepcopy(before)
            gone["metadata"]["resourceVersion"] = str(self.revision)
            del self._objects[resource][before["metadata"]["name"]]
            self._events.append((self.revision, resource, gone, None))
        else:
            after["metadata"]["resourceVersion"] = str(self.revision)
            self._objects[resource][after["metadata"]["name"]] = after
            self._events.append((self.revision, resource, before, copy.deepcopy(after)))
        self.changed.notify_all()
        return copy.deepcopy(after) if after else None
