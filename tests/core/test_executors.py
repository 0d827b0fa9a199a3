"""The executor: what is written, what fails, whose fault it is, and what becomes of workers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.executors import Desk, Ended, Job, Product
from harness.executors._boundary import carry_out
from harness.store.store import Store
from harness.types import Unavailable
from tests.core.running import REPOSITORY
from tests.core.simple_jobs import Foreign, job, run


@pytest.mark.parametrize("workers", [1, 2])
def test_jobs_run_once_what_they_need_is_there(tmp_path: Path, workers: int) -> None:
    store = Store(tmp_path)
    jobs = [job("c", needs=("b",)), job("b", needs=("a",)), job("a"), job("d", needs=("nobody",))]
    ended = run(store, *jobs, workers=workers)
    assert set(ended) == {"a", "b", "c"}
    assert [k for k in "abcd" if store.has(k)] == ["a", "b", "c"]
    assert store.spec("c") == {"by": "c"}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_fault_of_ours_leaves_its_traceback_and_the_others_go_on(
    tmp_path: Path, workers: int
) -> None:
    store = Store(tmp_path)
    ended = run(store, job("a", "key error"), job("b", "refused"), job("c"), workers=workers)
    assert (ended["key error"].our_fault, ended["key error"].error) == (True, "KeyError: 'x'")
    assert (ended["refused"].our_fault, ended["refused"].wrong_input) == (False, True)
    assert store.has("c")
    assert store.failure("a") == "KeyError: 'x'"
    assert "Traceback" in (tmp_path / "failures" / "a.txt").read_text()
    assert store.failure("b") == "file f: expected rows, got none"


def test_whose_fault_an_exception_is(tmp_path: Path) -> None:
    desk = Desk(Store(tmp_path), None, lambda news: None)
    foreign = Foreign(("k",), "foreign", "foreign", {})
    assert not carry_out(foreign, desk).our_fault  # a KeyError of pyarrow's, where it may be theirs
    assert carry_out(job("k", "key error"), desk).our_fault


@pytest.mark.parametrize("workers", [1, 2])
def test_without_space_nothing_goes_on(tmp_path: Path, workers: int) -> None:
    with pytest.raises(OSError, match="no space left"):
        run(Store(tmp_path), job("a", "full"), job("b"), workers=workers)


@pytest.mark.slow  # seconds
def test_a_job_whose_process_is_killed_is_tried_once_more(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ended = run(store, job("a", "killed"), job("b", "killed once"), job("c"), workers=2)
    assert store.has("b")
    assert store.has("c")
    assert "SIGKILL" in ended["killed"].error
    assert store.failure("a") == ended["killed"].error
    assert not ended["killed"].our_fault


@pytest.mark.parametrize("workers", [1, 2])
def test_jobs_that_cannot_start_do_not_keep_others_waiting(tmp_path: Path, workers: int) -> None:
    store = Store(tmp_path)
    here = replace(job("here"), apart=False)
    blocked = [job(k, needs=("nobody",)) for k in "ab"]
    assert set(run(store, *blocked, here, workers=workers)) == {"here"}


def test_jobs_of_one_group_do_not_run_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ended = run(store, *(job(k, group="same weights") for k in "abc"), workers=2)
    assert list(ended) == ["a", "b", "c"]


SCRIPT = """
import time
from pathlib import Path
from harness.store.store import Store
from tests.core import simple_jobs as t

class Slow(t.Job):
    doing = "testing"
    def make(self, desk):
        (desk.store.root / f"pid-{self.title}").write_text(str(__import__("os").getpid()))
        time.sleep(60)
        yield from ()
Slow = t.dataclass(frozen=True)(Slow)
"""


@pytest.mark.slow  # seconds
def test_a_terminated_parent_leaves_no_worker(tmp_path: Path) -> None:
    (tmp_path / "slow_jobs.py").write_text(SCRIPT)
    line = (
        "import sys; from pathlib import Path; import slow_jobs as s; from tests.core import simple_jobs as t\n"
        f"t.run(s.Store(Path({str(tmp_path)!r})), *(s.Slow((k,), k, k, {{}}, apart=True) for k in 'ab'), workers=2)"
    )
    environment = {**os.environ, "PYTHONPATH": f"{REPOSITORY}{os.pathsep}{tmp_path}"}
    parent = subprocess.Popen([sys.executable, "-c", line], env=environment)
    marks = [tmp_path / "pid-a", tmp_path / "pid-b"]
    assert _until(lambda: all(m.exists() and m.read_text() for m in marks))
    parent.terminate()
    parent.wait()
    assert _until(lambda: not any(_alive(int(m.read_text())) for m in marks))


def _until(holds: object, seconds: float = 30.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if callable(holds) and holds():
            return True
        time.sleep(0.05)
    return False


def _alive(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return status != "Z"


def test_reasons_that_a_job_gives_itself(tmp_path: Path) -> None:
    class Refusing(Job):
        doing = "testing"

        def make(self, desk: Desk) -> Iterator[Product]:
            raise Unavailable("nothing to say")

    refusing = dataclass(frozen=True)(Refusing)(("k",), "k", "k", {})
    desk = Desk(Store(tmp_path), None, lambda news: None)
    assert carry_out(refusing, desk) == Ended(refusing, "nothing to say")
