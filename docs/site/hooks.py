"""Hooks of the documentation site: the README as its start page, and a reference made from the classes themselves.

mkdocs calls `on_files` and `on_page_markdown` (mkdocs.yml names this file).
"""

from __future__ import annotations

import json
import posixpath
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
from reference import pages

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
# pages of the repository that are pages of the site, too
_ADOPTED = {
    "README.md": "index.md",
    "CHANGELOG.md": "changelog.md",
    "CONTRIBUTING.md": "contributing.md",
}
_LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^()\s]+)\)")


def on_files(files: Files, config: Any) -> Files:
    """The files of the site: those of docs/, the adopted pages with their pictures, and the reference."""
    for source, name in _ADOPTED.items():
        text = (REPOSITORY / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=_relinked(text, source, name)))
        for picture in re.findall(r"!\[[^\]]*\]\(([^)]+\.(?:png|svg))\)", text):
            if not picture.startswith("docs/"):
                files.append(
                    File.generated(config, picture, abs_src_path=str(REPOSITORY / picture))
                )
    notebook = _notebook((DOCS / "recipes/notebook.ipynb").read_text(encoding="utf-8"))
    for name, text in (*pages().items(), ("recipes/notebook.md", notebook)):
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """A page of docs/ without links to files that the site does not have: their names stay."""
    name = page.file.src_uri
    if name in _ADOPTED.values() or name.startswith("reference/"):
        return markdown
    return _relinked(markdown, f"docs/{name}", name)


def _notebook(text: str) -> str:
    """The cells of a notebook as Markdown."""
    cells = json.loads(text)["cells"]
    parts = [
        "".join(c["source"])
        if c["cell_type"] == "markdown"
        else f"```python\n{''.join(c['source'])}\n```"
        for c in cells
    ]
    return "\n\n".join([*parts, "[The notebook](notebook.ipynb)", ""])


def _relinked(text: str, source: str, name: str) -> str:
    """Links of a file of the repository as links of the site; those to files outside of it as plain names."""

    def link(match: re.Match[str]) -> str:
        mark, words, target = match.groups()
        if re.match(r"[a-z]+:|#", target):
            return match[0]
        path, _, anchor = target.partition("#")
        place = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        there = _ADOPTED.get(place) or (
            place.removeprefix("docs/") if place.startswith("docs/") else ""
        )
        if mark:
            there = there or place
        if not there or not (mark or place in _ADOPTED or (REPOSITORY / place).is_file()):
            return words
        if there.endswith(".py"):
            return words
        relative = posixpath.relpath(there, posixpath.dirname(name) or ".")
        return f"{mark}[{words}]({relative}{'#' + anchor if anchor else ''})"

    parts = re.split(r"(^```.*?^```$)", text, flags=re.MULTILINE | re.DOTALL)
    return "".join(p if i % 2 else _LINK.sub(link, p) for i, p in enumerate(parts))
