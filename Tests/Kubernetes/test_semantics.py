# SPDX-License-Identifier: Apache-2.0
"""Every check holds for every variant. That each check can fail is test_checks.py's matter."""

import pytest

import checks


def name(check):
    """selectors.workloads, say."""
    return f"{check.__module__.split('.')[-1]}.{check.__name__.removeprefix('check_')}"


@pytest.mark.parametrize("check", checks.ALL, ids=name)
def test_holds(check, variants):
    """Nothing is wrong with any variant."""
    problems = [f"{variant}: {problem}" for variant, objects in variants.items()
                for problem in check(objects)]
    assert not problems, "\n".join(problems[:20])
