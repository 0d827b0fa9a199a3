"""calibration_METHOD_TASK.json: odds as a run fitted them, to be given to later runs."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from harness.board.board import Board
from harness.console.invisible import as_escapes
from harness.exports import AbstractExporter


@dataclass(frozen=True)
class Calibrations(AbstractExporter):
    """One file for each method that fitted odds, and each task; none for a sweep, whose jobs share names."""

    def export(self, board: Board, folder: Path) -> None:
        """Writes the files."""
        case = board.record.case
        for name, fitted in (case.calibrations if case else {}).items():
            stem = re.sub(r"[^\w.-]+", "_", name.replace(" on ", "_"))
            text = as_escapes(json.dumps(fitted, ensure_ascii=False, allow_nan=False, indent=1))
            (folder / f"calibration_{stem}.json").write_bytes(
                f"{text}\n".encode("utf-8", "replace")
            )
