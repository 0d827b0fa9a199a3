"""A bundle as files: names, answers as lines of text, and the manifest with the digest of every byte.

    case.json            the case: who, what is documented, methods, seed, digests of answers
    verdicts.json        every verdict and every rate
    plan.json            what was to be done
    requests/01-TASK.jsonl, answers/01-TASK/001-MODEL.jsonl    a head, then a line for each row
    lines.json           a short digest of every line of answers with its prompt, to name what was changed
    manifest.json        file -> sha256; of the documents, with 64 zeros in place of the manifest's own digest
    exhibit.md, index.html    the documents

Nothing in a bundle is run: its files are JSON, and a name that leads out of the folder is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.console.invisible import as_escapes
from harness.keys import parse_json
from harness.panel.side import Side
from harness.store.tables import (
    grades_from_rows,
    grades_to_table,
    outputs_from_rows,
    outputs_from_table,
    outputs_to_rows,
    outputs_to_table,
    requests_from_rows,
    requests_to_table,
)
from harness.types import DistillbenchError, Outputs, RequestSet

CASE, VERDICTS, PLAN, LINES, MANIFEST = (
    "case.json",
    "verdicts.json",
    "plan.json",
    "lines.json",
    "manifest.json",
)
DOCUMENTS = ("exhibit.md", "index.html")
FORM = 1  # of all files; raised when they come to mean something else
ZEROS = "0" * 64
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*")
# what reading a file raises that somebody has made up
UNREADABLE = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)


def sha256(content: bytes) -> str:
    """Hex digest, as `sha256sum` says it."""
    return hashlib.sha256(content).hexdigest()


def as_json(value: Any) -> bytes:
    """A value as JSON for readers and programs, the same bytes for the same value."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=1)
    return f"{as_escapes(text)}\n".encode()


def slug(text: str) -> str:
    """A name as part of a file's name, on every file system."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text)[:60]


# --- answers as lines -----------------------------------------------------------------------------


def request_lines(asked: RequestSet) -> bytes:
    """What was asked: a head, then a line for each prompt and each request."""
    table = requests_to_table(asked)
    head = parse_json(table.schema.metadata[b"set"])
    return _lines([head, *table.to_pylist()])


def requests_from_lines(content: bytes) -> RequestSet:
    """The inverse of request_lines."""
    head, *rows = _rows(content)
    return requests_from_rows(head, rows)


def side_lines(side: Side, requests: str) -> bytes:
    """One model's answers, of every sample, and their grades; `requests` = the file of what was asked."""
    samples = [_output_rows(outputs) for outputs in (side.outputs, *side.samples)]
    grades = [grades_to_table(g).to_pylist() for g in (side.grades, *side.sample_grades) if g]
    head = {
        "model": side.model,
        "lineage": side.lineage,
        "requests": requests,
        "keys": side.keys,
        "own_names": side.identity,
        "samples": [len(rows) for rows, _ in samples],
        "tokens": [tokens for _, tokens in samples],
        "graded": [side.grades is not None, *(True for _ in side.sample_grades)],
    }
    return _lines([head, *(row for rows, _ in samples for row in rows), *grades])


def side_from_lines(content: bytes, asked: Mapping[str, RequestSet]) -> Side:
    """The inverse of side_lines; `asked` = file of what was asked -> its requests."""
    head, *rows = _rows(content)
    samples, start = [], 0
    for n, tokens in zip(head["samples"], head["tokens"], strict=True):
        samples.append(_outputs(rows[start : start + n], tokens))
        start += n
    first, *others = head["graded"]
    grades = [grades_from_rows(own) for own in rows[start:]]
    return Side(
        model=head["model"],
        lineage=head["lineage"],
        requests=asked[head["requests"]],
        outputs=samples[0],
        grades=grades.pop(0) if first else None,
        keys=tuple(head["keys"]),
        identity=tuple(head["own_names"]),
        samples=tuple(samples[1:]),
        sample_grades=tuple(grades[: len(others)]),
    )


def prompts_of_lines(side: Side) -> list[str]:
    """The prompt of every line of a side's file, "" for its head and its grades."""
    asked = side.requests
    rows = [i for outputs in (side.outputs, *side.samples) for i in outputs.request]
    graded = sum(g is not None for g in (side.grades, *side.sample_grades))
    prompts = [asked.prompts[asked.requests[int(i)].prompt].id for i in rows]
    return ["", *prompts, *[""] * graded]


def line_digests(content: bytes) -> list[str]:
    """A short digest of every line."""
    return [sha256(line)[:16] for line in content.split(b"\n")[:-1]]


def _output_rows(outputs: Outputs) -> tuple[list[dict[str, Any]], str | None]:
    """The rows of a sample without empty places, and what is said of their tokens."""
    rows = outputs_to_rows(outputs_to_table(outputs))
    tokens = [row.pop("tokens", None) for row in rows]
    bare = [{k: v for k, v in row.items() if v is not None} for row in rows]
    return bare, tokens[0] if tokens else None


def _outputs(rows: Sequence[Mapping[str, Any]], tokens: str | None) -> Outputs:
    if not rows:
        raise ValueError("no answers")
    more = {} if tokens is None else {"tokens": tokens}
    return outputs_from_table(outputs_from_rows([{**row, **more} for row in rows]))


def _lines(rows: Sequence[Any]) -> bytes:
    text = "\n".join(
        json.dumps(row, ensure_ascii=False, sort_keys=True, separators=(",", ":")) for row in rows
    )
    return f"{as_escapes(text)}\n".encode()


def _rows(content: bytes) -> list[Any]:
    return [parse_json(line) for line in content.split(b"\n")[:-1]]


# --- the manifest ---------------------------------------------------------------------------------


def manifest_of(files: Mapping[str, str], documents: Mapping[str, bytes]) -> bytes:
    """manifest.json; `files` -> sha256, `documents` with zeros in place of its digest."""
    return as_json(
        {
            "form": FORM,
            "files": dict(files),
            "documents": {name: sha256(content) for name, content in documents.items()},
        }
    )


def files_in(folder: Path) -> dict[str, Path]:
    """Name -> path of everything in a bundle that is no folder, links too, sorted."""
    paths = (p for p in folder.rglob("*") if p.is_symlink() or not p.is_dir())
    return {p.relative_to(folder).as_posix(): p for p in sorted(paths)}


def read_file(folder: Path, name: str) -> bytes:
    """A file of a bundle. Raises ValueError for a name that leads elsewhere, or a link."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name}: leads out of the bundle")
    path = folder / name
    inside = (p for p in (path, *path.parents) if folder in p.parents)
    if any(p.is_symlink() for p in inside):
        raise ValueError(f"{name}: a link")
    if not path.is_file():
        raise ValueError(f"{name}: no file")
    return path.read_bytes()


def changed_bytes(folder: Path) -> tuple[str, list[str]]:
    """The digest of the manifest, and a line for every file that is not as it says: changed, missing, further.

    Raises DistillbenchError where the folder holds no bundle.
    """
    there = files_in(folder) if folder.is_dir() else {}
    if MANIFEST not in there:
        raise DistillbenchError(
            f"{folder}: expected a bundle, which exhibit=DIR writes; there is no {MANIFEST}"
        )
    raw = _content(folder, MANIFEST)
    if raw is None:
        raise DistillbenchError(f"{folder / MANIFEST}: expected a plain file")
    digest = sha256(raw)
    try:
        manifest = parse_json(raw)
        if manifest["form"] != FORM and digest in _stated(folder):
            raise DistillbenchError(
                f"{folder / MANIFEST}: form {manifest['form']!r}; this distillbench reads form {FORM}"
            )
        files, documents = dict(manifest["files"]), dict(manifest["documents"])
    except UNREADABLE:
        if CASE not in there:
            raise DistillbenchError(
                f"{folder / MANIFEST}: expected the manifest of a bundle"
            ) from None
        return digest, [f"{MANIFEST}: changed: it cannot be read"]
    lines = [
        f"{name}: further: the manifest does not know it"
        for name in there
        if name not in {MANIFEST, *files, *documents}
    ]
    for name, expected in sorted(files.items()):
        if name not in there:
            lines.append(f"{name}: missing")
        elif (content := _content(folder, name)) is None:
            lines.append(f"{name}: no plain file")
        elif sha256(content) != expected:
            lines.append(f"{name}: changed{_where(folder, name, content)}")
    return digest, [*lines, *_document_faults(folder, documents, digest)]


def with_digest(document: bytes, digest: str) -> bytes:
    """A document with this digest in the place of the manifest's, which is the last that it has."""
    text = document.decode()
    place = list(_DIGEST.finditer(text))[-1]
    return (text[: place.start()] + digest + text[place.end() :]).encode()


def stated_digest(document: bytes) -> str:
    """The digest of the manifest that a document states; "" where it states none."""
    digests = _DIGEST.findall(document.decode("utf-8", "replace"))
    return str(digests[-1]) if digests else ""


def _stated(folder: Path) -> set[str]:
    """The digests of the manifest that the documents state."""
    contents = (_content(folder, name) for name in DOCUMENTS)
    return {stated_digest(content) for content in contents if content is not None}


def _document_faults(folder: Path, documents: Mapping[str, str], digest: str) -> Iterator[str]:
    """What is wrong with the documents, and with the manifest that they state the digest of."""
    stated: dict[str, str] = {}
    for name in DOCUMENTS:
        content = _content(folder, name)
        if name not in documents:
            yield f"{MANIFEST}: changed: it does not list {name}"
        elif content is None:
            yield f"{name}: missing"
        elif not stated_digest(content) or sha256(_zeroed(content)) != documents[name]:
            yield f"{name}: changed"
        else:
            stated[name] = stated_digest(content)
    others = {name: d for name, d in stated.items() if d != digest}
    if others and len(others) == len(stated) and len(set(others.values())) == 1:
        yield f"{MANIFEST}: changed: its digest is {digest}, the documents state {next(iter(others.values()))}"
    else:
        yield from (f"{name}: changed: it states another digest of {MANIFEST}" for name in others)
    for name in sorted(documents.keys() - set(DOCUMENTS)):
        yield f"{MANIFEST}: changed: {name} is no document of a bundle"


def _zeroed(document: bytes) -> bytes:
    try:
        return with_digest(document, ZEROS)
    except UnicodeDecodeError:
        return b""


def _content(folder: Path, name: str) -> bytes | None:
    """A file's bytes; None where it is not there, or no plain file."""
    try:
        return read_file(folder, name)
    except (ValueError, OSError):
        return None


def _where(folder: Path, name: str, content: bytes) -> str:
    """The first lines of answers that were changed: line, model and prompt; "" where nothing tells."""
    try:
        known = parse_json(read_file(folder, LINES))[name]
        prompts, digests = known["prompts"], known["digests"]
        now = line_digests(content)
        if len(now) != len(digests):
            return f": {len(now)} lines rather than {len(digests)}, the answers of {known['model']}"
        places = [i for i, (a, b) in enumerate(zip(now, digests, strict=True)) if a != b]
        told = [f"line {i + 1}{f', prompt {prompts[i]}' if prompts[i] else ''}" for i in places[:3]]
        more = f" and {len(places) - 3} more lines" if len(places) > 3 else ""
        return f": {'; '.join(told)}{more} of the answers of {known['model']}" if told else ""
    except UNREADABLE:
        return ""
