"""The report stage: a run's record becomes one page and four data files, the same bytes for the same record."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.board.answers import BUDGET_BYTES, browse, task_answers
from harness.board.leaderboard import leaderboard
from harness.board.record import RunRecord
from harness.console.progress import stage
from harness.console.secrets import redacted
from harness.figures import AbstractFigure
from harness.page import exports, pictures
from harness.page.render import page
from harness.page.samples_file import written


@stage("writing the page")
def write_report(
    record: RunRecord, folder: Path, figures: Sequence[AbstractFigure] | None = None
) -> Path:
    """Path of index.html in `folder`, where the data files and samples.parquet are written too.

    Each file is made beside the folder and moved into it whole; the page comes last. `figures` = None draws every kind.
    """
    record = redacted(record)
    folder.mkdir(parents=True, exist_ok=True)
    workshop = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        board = leaderboard(record)
        browser = _browser(record, workshop / "samples.parquet")
        texts = {
            "scores.csv": exports.scores_csv(record),
            "scores.json": exports.scores_json(record),
            "leaderboard.csv": exports.leaderboard_csv(board, record.variants),
            "run.json": exports.run_json(record),
            "index.html": page(
                record, board, browser, pictures.stock() if figures is None else figures
            ),
        }
        for name, text in texts.items():
            (workshop / name).write_bytes(text.encode("utf-8", "replace"))
        for name in ("samples.parquet", *texts):
            os.replace(workshop / name, folder / name)
    finally:
        shutil.rmtree(workshop)
    return folder / "index.html"


def without_number(record: RunRecord) -> str:
    """One line that says why not one score has a value; "" where there is one."""
    if any(score.value is not None for score in record.scores):
        return ""
    if not record.metrics:
        why = "no metric is named; add metrics, for example metrics: {task_score: }"
    elif not record.scores:
        pairs = (
            ""
            if record.pairs
            else "; pairs is empty, and most of them compare a student with its teacher"
        )
        why = f"{', '.join(m.name for m in record.metrics)} found nothing to measure in these tasks{pairs}"
    else:
        reason, times = Counter(s.reason for s in record.scores).most_common(1)[0]
        why = f"{times} of {len(record.scores)} scores say: {reason}"
    return f"THERE IS NOT ONE NUMBER: {why}"


def _browser(record: RunRecord, file: Path) -> list[dict[str, Any]]:
    """The tasks of the sample browser; all answers go into `file` on the way."""
    share = BUDGET_BYTES // max(1, len(record.tasks))
    shown = [
        browse(answers, record.pairs, share) for answers in written(task_answers(record), file)
    ]
    return [task for task in shown if task["prompts"]]
