"""The README and the pages behind it taken apart: blocks, the section of each, the file that the text calls it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text()
# what stands behind it in the same words: every block of these is tried, too
_PAGES = (
    "installing",
    "models",
    "servers",
    "recorded",
    "measures",
    "sweeps",
    "ci",
    "report",
    "speed",
)
MANUAL = "\n".join([README, *((REPOSITORY / f"docs/{name}.md").read_text() for name in _PAGES)])
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"`([\w./-]+\.(?:yaml|yml|py|jsonl|csv))`")


@dataclass(frozen=True)
class Block:
    """One fenced block."""

    section: str  # the heading above it
    language: str  # console, yaml, python
    text: str
    # the last file that the paragraph before it names, or its own first line; None for commands
    file: str | None

    @property
    def commands(self) -> list[str]:
        """Its commands, in order."""
        return [line.removeprefix("$ ") for line in self.text.splitlines() if line.startswith("$ ")]


def blocks(text: str = MANUAL) -> list[Block]:
    """Every fenced block, in order."""
    return [_block(text, match) for match in _FENCE.finditer(text)]


def section(heading: str) -> list[Block]:
    """The blocks of one section, at least one."""
    found = [block for block in blocks() if block.section == heading]
    assert found, f"the manual has no block under {heading!r}"
    return found


def prose(heading: str) -> str:
    """The text of one section without its blocks, on one line."""
    part = re.search(
        rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)",
        _FENCE.sub("", MANUAL),
        re.MULTILINE | re.DOTALL,
    )
    assert part, f"the manual has no section {heading!r}"
    return " ".join(part[1].split())


def write_files(heading: str, folder: Path) -> None:
    """Puts the section's files, as they stand, where the text says that they lie."""
    for block in section(heading):
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)


def _block(text: str, match: re.Match[str]) -> Block:
    before = text[: match.start()]
    heading = re.findall(r"^#+ (.+)$", _FENCE.sub("", before), re.MULTILINE)[-1]
    paragraph = before.rstrip().rsplit("\n\n", 1)[-1]
    language, content = match[1], match[2]
    comment = re.match(r"# ([\w./-]+\.\w+)\n", content)
    names = [comment[1]] if comment else _FILE.findall(paragraph)[-1:]
    return Block(heading, language, content, names[0] if names and language != "console" else None)
