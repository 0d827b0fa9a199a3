"""The page of a sweep that weighs evidence says of each value what the run of that value alone says."""

from __future__ import annotations

from pathlib import Path

from harness.board.board import make_board
from harness.board.evidence import weighings
from harness.board.joined import Job, join
from harness.board.record import RunRecord
from harness.board.saved import read_record
from harness.stages.run import DONE, execute
from tests.verdicts.cases import case_run, write_crowd


def record_of(folder: Path, limit: int) -> RunRecord:
    run = case_run(folder, suspect="one-student-0", candidates=["one"], limit=limit)
    assert execute(run, Path("nowhere.csv"), alone=True).code == DONE
    return read_record(folder / "results" / "report")


def test_each_value_says_what_its_run_says_alone(tmp_path: Path) -> None:
    write_crowd(tmp_path / "data")
    runs = {str(n): record_of(tmp_path, n) for n in (20, 30)}
    alone = {n: weighings(run) for n, run in runs.items()}
    assert alone["20"][0].verdicts != alone["30"][0].verdicts
    both = join([Job((("limit", n),), run) for n, run in runs.items()])
    make_board(both)
    own = {w.variant: w for w in weighings(both)}
    for n, (weighing,) in alone.items():
        swept = own[("limit", n),]
        assert swept.verdicts == weighing.verdicts
        assert swept.rates == weighing.rates
        assert swept.findings == weighing.findings
        assert swept.case == weighing.case
