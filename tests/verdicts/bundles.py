"""A small case as a bundle, made once, and copies of it that somebody has changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from harness.stages import bundle
from harness.stages.run import DONE, execute
from harness.testing.crowds import crowd
from tests.verdicts.cases import case_run, write_crowd

NOWHERE = Path("nowhere.csv")
SCORED = ["collect", "score"]
SUSPECT = "one-student-0"


def small_case(folder: Path) -> None:
    """The files of a case of 13 models and 12 prompts."""
    write_crowd(folder / "data", crowd(n_students=3, n_controls=3, n_prompts=12))


def write_bundle(folder: Path, name: str = "out", **changes: Any) -> Path:
    """The bundle of a small case, whose results stand in `folder`."""
    words = {"suspect": SUSPECT, "candidates": ["one"], "stages": SCORED, **changes}
    run = case_run(folder, **words, exhibit=str(folder / name))
    assert execute(run, NOWHERE, alone=True).code == DONE
    return folder / name


def copy(original: Path, place: Path) -> Path:
    """A copy of a bundle, to be changed."""
    shutil.copytree(original, place)
    return place


def with_manifest_anew(folder: Path) -> Path:
    """The bundle with digests made anew, as somebody would who covers up a change."""
    case = json.loads((folder / bundle.CASE).read_text())
    for answers in case["answers"]:
        answers["sha256"] = bundle.sha256((folder / answers["file"]).read_bytes())
    (folder / bundle.CASE).write_bytes(bundle.as_json(case))
    lines = json.loads((folder / bundle.LINES).read_text())
    for name, known in lines.items():
        known["digests"] = bundle.line_digests((folder / name).read_bytes())
    (folder / bundle.LINES).write_bytes(bundle.as_json(lines))
    own = {bundle.MANIFEST, *bundle.DOCUMENTS}
    files = {
        n: bundle.sha256(p.read_bytes()) for n, p in bundle.files_in(folder).items() if n not in own
    }
    documents = {
        name: bundle.with_digest((folder / name).read_bytes(), bundle.ZEROS)
        for name in bundle.DOCUMENTS
    }
    manifest = bundle.manifest_of(files, documents)
    (folder / bundle.MANIFEST).write_bytes(manifest)
    for name, document in documents.items():
        (folder / name).write_bytes(bundle.with_digest(document, bundle.sha256(manifest)))
    return folder
