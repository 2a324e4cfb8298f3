# SPDX-License-Identifier: Apache-2.0
"""What a schema cannot see. Each check takes the objects of a variant and yields what is wrong."""

from . import environment, identity, patroni, pods, references, roles, selectors, storage

ALL = (
    *selectors.CHECKS, *references.CHECKS, *environment.CHECKS, *patroni.CHECKS, *pods.CHECKS,
    *roles.CHECKS, *identity.CHECKS, *storage.CHECKS,
)
