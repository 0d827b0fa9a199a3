"""From a run to a bundle about its suspect."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.board.exhibit import Answers, Exhibit, Method, document_of
from harness.board.plain import to_plain
from harness.board.record import RunRecord
from harness.console.progress import stage
from harness.console.secrets import redacted
from harness.keys import code_digest
from harness.page.documents import html, markdown
from harness.panel.evidence import Verdict
from harness.panel.rates import rates_of
from harness.panel.side import Side
from harness.plan.collections import Plan
from harness.stages import bundle, registered
from harness.stages.crowds import answered
from harness.stages.library import Library
from harness.stages.weigh import cells
from harness.store.store import Store
from harness.types import DistillbenchError

_WRITERS = (
    "harness.board.evidence",
    "harness.board.exhibit",
    "harness.board.numerals",
    "harness.page.documents",
    "harness.stages.exhibit",
)


def check_before(folder: Path | None, *, alone: bool) -> None:
    """Raises DistillbenchError where no bundle could be written at the end."""
    if folder is None:
        return
    if not alone:
        raise DistillbenchError(
            "exhibit: a bundle is about one run, this is a sweep; run its jobs one by one"
        )
    registered.check_free(folder)


@stage("writing the bundle")
def write_exhibit(
    plan: Plan, store: Store, record: RunRecord, folder: Path, fixed: bytes | None
) -> str:
    """Writes the bundle of a run; the digest of its manifest. `fixed` = the plan that lay there before the run.

    Raises DistillbenchError where there is nothing to show, or answers hold a secret.
    """
    _check_worth(record)
    registered.check_free(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        digest = _write(plan, store, record, workshop, fixed)
        folder.mkdir(exist_ok=True)
        for path in sorted(workshop.iterdir(), key=lambda p: (p.name == bundle.MANIFEST, p.name)):
            os.replace(path, folder / path.name)
    finally:
        shutil.rmtree(workshop)
    return digest


def _check_worth(record: RunRecord) -> None:
    assert record.case is not None
    suspect = record.case.suspect
    for c in record.collections:
        if c.secrets:
            raise DistillbenchError(
                f"exhibit: not written: answers of {c.model} to {c.task} hold the value of {', '.join(c.secrets)}, and "
                "a bundle is for others; change that key, and ask the model again without it"
            )
    if not any(v.suspect == suspect for v in record.verdicts):
        why = "; ".join(record.case.missing) or f"{suspect} answered no task that a method looks at"
        raise DistillbenchError(f"exhibit: not written: nothing weighs {suspect}: {why}")


def _write(plan: Plan, store: Store, record: RunRecord, folder: Path, fixed: bytes | None) -> str:
    """All files of a bundle; the digest of the manifest."""
    files = _Files(folder)
    written = _write_answers(plan, store, files)
    content = fixed or bundle.as_json(registered.case_plan(plan, store))
    files.add(bundle.PLAN, content)
    exhibit = _exhibit(plan, record, written, fixed, bundle.sha256(content))
    files.add(bundle.CASE, bundle.as_json(to_plain(exhibit)))
    files.add(bundle.VERDICTS, verdicts_file(record.verdicts, exhibit))
    files.add(bundle.LINES, bundle.as_json(written.lines))
    documents = documents_of(exhibit, record.verdicts, bundle.ZEROS)
    manifest = bundle.manifest_of(files.digests, documents)
    digest = bundle.sha256(manifest)
    for name, document in documents.items():
        (folder / name).write_bytes(bundle.with_digest(document, digest))
    (folder / bundle.MANIFEST).write_bytes(manifest)
    return digest


@dataclass
class _Files:
    """Files as they are written, with their digests."""

    folder: Path
    digests: dict[str, str] = field(default_factory=dict)

    def add(self, name: str, content: bytes) -> str:
        """Writes a file; its sha256."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        self.digests[name] = bundle.sha256(content)
        return self.digests[name]


@dataclass
class _Written:
    """What was written of answers."""

    answers: list[Answers] = field(default_factory=list)
    requests: dict[str, str] = field(default_factory=dict)  # file -> sha256
    lines: dict[str, Any] = field(default_factory=dict)


def _write_answers(plan: Plan, store: Store, files: _Files) -> _Written:
    """The answers of everybody who was weighed, task by task."""
    written = _Written()
    tasks = list(dict.fromkeys(task for _, task, key in cells(plan, store) if store.has(key)))
    for t, task in enumerate(tasks, start=1):
        place = f"{t:02}-{bundle.slug(task)}"
        asked: dict[str, str] = {}
        for i, collection in enumerate(answered(plan, task, store), start=1):
            side = Library(plan, store).side(collection.model, task)
            if collection.requests_key not in asked:
                name = f"requests/{place}{f'-{len(asked) + 1}' if asked else ''}.jsonl"
                asked[collection.requests_key] = name
                written.requests[name] = files.add(name, bundle.request_lines(side.requests))
            name = f"answers/{place}/{i:03}-{bundle.slug(side.model)}.jsonl"
            requests = asked[collection.requests_key]
            content = bundle.side_lines(side, requests)
            digest, n = files.add(name, content), len(set(_answered_prompts(side)))
            written.answers.append(Answers(task, side.model, name, digest, requests, n))
            written.lines[name] = {
                "model": side.model,
                "prompts": bundle.prompts_of_lines(side),
                "digests": bundle.line_digests(content),
            }
    return written


def _answered_prompts(side: Side) -> Iterator[int]:
    """The prompts of the rows that are no empty texts."""
    outputs, requests = side.outputs, side.requests.requests
    for index, text, is_there in zip(outputs.request, outputs.text, outputs.answered, strict=True):
        if is_there and (text is None or text.strip()):
            yield requests[int(index)].prompt


def _exhibit(
    plan: Plan, record: RunRecord, written: _Written, fixed: bytes | None, plan_digest: str
) -> Exhibit:
    run, case = plan.run, record.case
    assert case is not None
    methods = tuple(
        Method(name, explanation=verdict.explanation, **registered.method_parts(verdict))
        for name, verdict in run.verdicts.items()
    )
    return Exhibit(
        title=redacted(record.title),
        suspect=case.suspect,
        candidates=case.candidates,
        prior_odds=case.prior_odds,
        origins=case.origins,
        methods=methods,
        weighed=tuple(dict.fromkeys((v.method, v.task) for v in record.verdicts)),
        seed=run.seed,
        models=tuple(sorted(run.models)),
        answers=tuple(written.answers),
        requests=written.requests,
        is_registered=fixed is not None,
        plan=plan_digest,
        answers_before=registered.before(fixed) if fixed else (),
        versions=record.versions,
        writer=writer(),
        missing=redacted(case.missing),
        terms=redacted(case.terms),
    )


def writer() -> str:
    """Digest of the code that writes the documents."""
    return code_digest(alone=_WRITERS)


def documents_of(exhibit: Exhibit, verdicts: Sequence[Verdict], digest: str) -> dict[str, bytes]:
    """The documents of a bundle, by the names of their files."""
    document = document_of(exhibit, verdicts)
    texts = dict(zip(bundle.DOCUMENTS, (markdown, html), strict=True))
    return {
        name: write(document, digest).encode("utf-8", "replace") for name, write in texts.items()
    }


def verdicts_file(verdicts: Sequence[Verdict], exhibit: Exhibit) -> bytes:
    """verdicts.json."""
    rates = rates_of(verdicts, exhibit.origins, exhibit.suspect)
    return bundle.as_json({"verdicts": to_plain(tuple(verdicts)), "rates": to_plain(tuple(rates))})
