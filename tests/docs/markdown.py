"""Reads the examples out of the documentation: fenced blocks and the answers printed below them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.live import ROOT

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$\n?", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_STATUS = re.compile(r"^# (\d{3})\b", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: its language, its text and whether only blank lines part it from the last."""

    language: str
    text: str
    follows: bool


@dataclass(frozen=True, slots=True)
class Example:
    """Commands with what the documentation says that they print, and answer last."""

    title: str
    commands: str
    answer: Block | None

    @property
    def status(self) -> int | None:
        """The HTTP status that a comment such as ``# 201`` in the commands promises."""
        found = _STATUS.search(self.commands)
        return int(found[1]) if found else None


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def section(text: str, heading: str) -> str:
    """From ``heading`` (with its ``#``) up to the next one of the same or a higher level."""
    level = len(heading) - len(heading.lstrip("#"))
    start = text.index(f"{heading}\n") + len(heading)
    following = re.compile(rf"^#{{1,{level}}} ", re.MULTILINE).search(_without_fences(text), start)
    return text[start : following.start() if following else None]


def blocks(text: str) -> list[Block]:
    """Every fenced block in order."""
    made: list[Block] = []
    end = 0
    for match in _FENCE.finditer(text):
        made.append(Block(match[1], match[2], bool(made) and not text[end : match.start()].strip()))
        end = match.end()
    return made


def examples(text: str) -> list[Example]:
    """Each ``bash`` block with the ``json`` or ``text`` block directly below it."""
    found = blocks(text)
    titles = _titles(text)
    made = []
    for block, after in zip(found, [*found[1:], None], strict=True):
        title = next(titles)
        if block.language == "bash":
            is_answer = after is not None and after.follows and after.language in ("json", "text")
            made.append(Example(title, block.text, after if is_answer else None))
    return made


def table(text: str) -> list[list[str]]:
    """The cells of the first table's rows, without back quotes."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines[2:]]


def documents() -> list[Path]:
    """Every Markdown file that is the project's own."""
    return [ROOT / "README.md", ROOT / "api_documentation.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _titles(text: str) -> Iterator[str]:
    headings = [(match.start(), match[2]) for match in _HEADING.finditer(_without_fences(text))]
    for block in _FENCE.finditer(text):
        yield next((title for start, title in reversed(headings) if start < block.start()), "")


def _without_fences(text: str) -> str:
    """The same length with the blocks blanked, so that a comment in one is no heading."""
    return _FENCE.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)
