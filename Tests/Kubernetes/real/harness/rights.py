# SPDX-License-Identifier: Apache-2.0
"""What the Roles of the rendered manifests allow, as the API server decides it."""


class Rights:
    """Roles and RoleBindings of one namespace."""

    def __init__(self, objects, namespace):
        self.namespace = namespace
        roles = {o["metadata"]["name"]: o for o in objects if o["kind"] == "Role"}
        self._rules = {}
        for binding in (o for o in objects if o["kind"] == "RoleBinding"):
            assert binding["roleRef"]["kind"] == "Role"
            rules = roles[binding["roleRef"]["name"]].get("rules", [])
            for subject in binding["subjects"]:
                if subject["kind"] == "ServiceAccount":
                    self._rules.setdefault(subject["name"], []).extend(rules)

    def allows(self, account, verb, resource, name, namespace):
        """`name` is empty for a create, and for a list of more than one object."""
        if namespace != self.namespace:
            return False
        return any(
            "" in rule.get("apiGroups", [])
            and verb in rule["verbs"]
            and resource in rule["resources"]
            and (not rule.get("resourceNames") or name in rule["resourceNames"])
            for rule in self._rules.get(account, [])
        )
