# SPDX-License-Identifier: Apache-2.0
"""Volumes: one for each pod's data, of a class that can work, kept or deleted as its owner needs."""

from manifests import pod_templates, title

from .patroni import size

EFS, EBS = "efs.csi.aws.com", "ebs.csi.aws.com"


def classes(objects):
    """StorageClasses by their names."""
    return {one["metadata"]["name"]: one for one in objects if one["kind"] == "StorageClass"}


def data_claims(objects):
    """(workload, claim, whether it outlives its pod) of everything that PostgreSQL writes to."""
    for owner, template in pod_templates(objects):
        for claim in owner["spec"].get("volumeClaimTemplates", []):
            yield owner, claim, True
        for volume in template["spec"].get("volumes", []):
            if "ephemeral" in volume:
                yield owner, volume["ephemeral"]["volumeClaimTemplate"], False


def check_classes(objects):
    """EFS enforces uid and gid 999, EBS waits for the pod's zone."""
    for one in classes(objects).values():
        parameters = one["parameters"]
        if one["provisioner"] == EFS:
            wanted = {"provisioningMode": "efs-ap", "uid": "999", "gid": "999",
                      "directoryPerms": "700"}
            if not wanted.items() <= parameters.items():
                yield f"{title(one)}: PostgreSQL would refuse the directory's owner"
            if any("soft" in option for option in one.get("mountOptions", [])):
                yield f"{title(one)}: a soft mount loses writes"
        elif one["provisioner"] == EBS:
            if one.get("volumeBindingMode") != "WaitForFirstConsumer":
                yield f"{title(one)}: volumes are made in zones without their pods"
            if one.get("allowVolumeExpansion") is not True:
                yield f"{title(one)}: a full volume cannot grow"
            if parameters.get("encrypted") != "true" or parameters.get("type") != "gp3":
                yield f"{title(one)}: not encrypted, or not gp3"
        else:
            yield f"{title(one)}: an unknown driver"


def check_data(objects):
    """No data directory is on a volume that two pods can mount, and none is kept without its pod."""
    known = classes(objects)
    for owner, claim, lasting in data_claims(objects):
        if claim["spec"]["accessModes"] != ["ReadWriteOnce"]:
            yield f"{title(owner)}: two servers could share a data directory"
        storage = known.get(claim["spec"].get("storageClassName"))
        if storage and (storage["reclaimPolicy"] == "Retain") is not lasting:
            yield f"{title(owner)}: {title(storage)} is {storage['reclaimPolicy']}"
        if known and not storage and any(name != "postgres-efs-backup" for name in known):
            yield f"{title(owner)}: of no class, unlike others"
    for owner, template in pod_templates(objects):
        for volume in template["spec"].get("volumes", []):
            if volume["name"] == "pgdata" and "persistentVolumeClaim" in volume:
                yield f"{title(owner)}: its pods share one claim"


def check_backups(objects):
    """Backups are on a volume that outlives everything, mounted from several nodes only on EFS."""
    known = classes(objects)
    for one in objects:
        if one["kind"] != "PersistentVolumeClaim":
            continue
        storage = known.get(one["spec"].get("storageClassName"))
        shared = one["spec"]["accessModes"] == ["ReadWriteMany"]
        if shared is not bool(storage and storage["provisioner"] == EFS):
            yield f"{title(one)}: {one['spec']['accessModes']} does not fit its class"
        if storage and storage["reclaimPolicy"] != "Retain":
            yield f"{title(one)}: backups go with their claim"


def requested(claim):
    """Bytes that a claim asks for."""
    return size(claim["spec"]["resources"]["requests"]["storage"])


def check_sizes(objects):
    """Whatever holds a copy of the database is as large as the members' volumes, backups larger."""
    claims = list(data_claims(objects))
    members = max(requested(claim) for _, claim, lasting in claims if lasting)
    for owner, claim, _ in claims:
        if requested(claim) < members:
            yield f"{title(owner)}: a volume is smaller than the members'"
    for one in objects:
        if one["kind"] == "PersistentVolumeClaim" and requested(one) < 2 * members:
            yield f"{title(one)}: no room for two full backups"


CHECKS = (check_classes, check_data, check_backups, check_sizes)
