# SPDX-License-Identifier: Apache-2.0
"""The instructions of a Dockerfile, as far as this project uses them."""

import json
import re
import shlex
from dataclasses import dataclass


@dataclass
class Instruction:
    """One instruction, on one line; `line` is where it began."""

    name: str
    text: str
    line: int


def parse(text):
    """All instructions; continued lines are joined, comments between them dropped."""
    result, held, began = [], "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or (not held and not line.strip()):
            continue
        if not held:
            began = number
        if line.endswith("\\"):
            held += line[:-1]
            continue
        name, _, rest = (held + line).strip().partition(" ")
        result.append(Instruction(name.upper(), rest.strip(), began))
        held = ""
    return result


def expand(text, variables):
    """$NAME, ${NAME} and ${NAME:-default}, as the builder does outside RUN."""
    def value(match):
        name, default = match.group(1) or match.group(3), match.group(2)
        return variables.get(name) or default or ""
    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}|\$(\w+)", value, text)


def assignments(text, variables):
    """The pairs of an ENV or LABEL."""
    return {word.split("=", 1)[0]: expand(word.split("=", 1)[1], variables)
            for word in shlex.split(text)}


def command(text):
    """An exec form as a list; a shell form is an error in this project."""
    return json.loads(text)
