# SPDX-License-Identifier: Apache-2.0
"""The operators' manual taken apart: sections, code, commands."""

import re
import shlex
from dataclasses import dataclass, field

from manifests import REPOSITORY

ENGLISH = REPOSITORY / "deploy/README.md"
KOREAN = REPOSITORY / "deploy/README.ko.md"

HEADING = re.compile(r"^(#{2,6}) (\d+(?:\.\d+)*)\.? \S")
SEPARATORS = ";|&()\n"
# Words of the shell before a command.
SHELL_WORDS = {"do", "then", "else", "{", "!"}


@dataclass
class Section:
    """What stands between two headings."""

    level: int
    number: str
    lines: list = field(default_factory=list)
    blocks: list = field(default_factory=list)  # (language, text)

    @property
    def text(self):
        """All but the blocks of code, as one line: code may be broken over two."""
        return " ".join(self.lines)

    @property
    def spans(self):
        """What stands between backquotes."""
        return re.findall(r"`([^`]+)`", self.text)

    @property
    def tables(self):
        """The number of cells of each row."""
        return [len(re.findall(r"(?<!\\)\|", line)) for line in self.lines if line.startswith("|")]

    @property
    def items(self):
        """How each item of a list begins."""
        return [match.group(1) for line in self.lines if (match := re.match(r"(-|\d+\.) ", line))]

    @property
    def references(self):
        """Other sections that are named, in either language."""
        return sorted(set(re.findall(r"section (\d+)", self.text, re.IGNORECASE)
                          + re.findall(r"(?:and |sections )(\d+)(?=\))", self.text)
                          + re.findall(r"(\d+)절", self.text)), key=int)

    @property
    def bold(self):
        """How often something is said aloud."""
        return self.text.count("**") // 2


def sections(text):
    """The manual's sections; what comes before the first has the number 0."""
    found = [Section(1, "0")]
    language, held = None, []
    for line in text.splitlines():
        if line.startswith("```"):
            if language is None:
                language, held = line[3:], []
            else:
                found[-1].blocks.append((language, "\n".join(held)))
                language = None
        elif language is not None:
            held.append(line)
        elif line.startswith("#") and found[0].lines:
            match = HEADING.match(line)
            assert match, f"a heading without a number: {line}"
            found.append(Section(len(match.group(1)), match.group(2)))
        else:
            found[-1].lines.append(line)
    assert language is None, "a block of code has no end"
    return found


def without_comments(text):
    """Code as both languages must have it."""
    lines = (re.sub(r"(^|\s+)#(\s.*)?$", "", line) for line in text.splitlines())
    return [line.rstrip() for line in lines if line.strip()]


def substitutions(word):
    """The commands within $(...) of a quoted word."""
    for match in re.finditer(r"\$\(((?:[^()]|\([^()]*\))*)\)", word):
        yield match.group(1)


def commands(text):
    """The commands of shell code, as lists of words, those inside others included."""
    text = re.sub(r"\\\n\s*", " ", "\n".join(without_comments(text)))
    lexer = shlex.shlex(text, posix=True, punctuation_chars=SEPARATORS)
    lexer.commenters = ""
    lexer.whitespace = " \t\r"
    lexer.whitespace_split = True
    words, inner = [], []
    for word in [*lexer, "\n"]:
        if set(word) <= set(SEPARATORS):
            while words and words[0] in SHELL_WORDS:
                words.pop(0)
            if words:
                yield words
            words = []
        else:
            words.append(word)
            inner += substitutions(word)
    for one in inner:
        yield from commands(one)


def shell(found):
    """(section, words) of each command in code of the shell, and of each kubectl in the text."""
    for section in found:
        for language, text in section.blocks:
            if language == "sh":
                for words in commands(text):
                    yield section, words
        for span in section.spans:
            if re.match(r"(kubectl|patronictl|deploy/scripts/\S+\.sh) ", span):
                for words in commands(span):
                    yield section, words
