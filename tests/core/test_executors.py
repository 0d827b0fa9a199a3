"""The executor: what is written, what fails, whose fault it is, and what becomes of workers."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, final

import pytest

from harness.console.forecast import Forecast
from harness.console.progress import News, Stage, stage
from harness.executors import AbstractExecutor, Desk, Ended, Job, Product, local
from harness.executors._boundary import carry_out
from harness.stages.loop import carry_out_all
from harness.store.damage import Damaged
from harness.store.store import Store
from harness.types import DistillbenchError, Unavailable
from tests.core.running import REPOSITORY
from tests.core.simple_jobs import Foreign, job, run


@pytest.mark.parametrize("workers", [1, 2])
def test_jobs_run_once_what_they_need_is_there(tmp_path: Path, workers: int) -> None:
    store = Store(tmp_path)
    jobs = [job("c", needs=("b",)), job("b", needs=("a",)), job("a"), job("d", needs=("nobody",))]
    ended = run(store, *jobs, workers=workers)
    assert set(ended) == {"a", "b", "c"}
    assert [k for k in "abcd" if store.has(k)] == ["a", "b", "c"]
    # Python looks for cycles in a worker, too, though the server that it was forked from does not
    assert store.spec("c") == {"by": "c", "collects": True}


def test_a_job_that_needs_what_is_damaged_begins_the_run_again(tmp_path: Path) -> None:
    class Finds(AbstractExecutor):
        """Tells that something which the job needs is damaged."""

        at_once = 1

        def run(self, jobs: Sequence[Job], desk: Desk, shown: Stage) -> list[Ended]:
            """How they ended."""
            return [Ended(job, "k: damaged", damaged=True) for job in jobs]

    store = Store(tmp_path)
    with pytest.raises(Damaged, match="k: damaged"):
        carry_out_all([job("a")], None, store, Finds())  # type: ignore[arg-type]


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


@dataclass(frozen=True)
class Raising(Job):
    """Raises its error on a line of the file that is named."""

    doing: ClassVar[str] = "testing"
    error: BaseException = field(default_factory=Exception)
    file: str = ""

    def make(self, desk: Desk) -> Iterator[Product]:
        """Nothing."""
        exec(compile("raise error.with_traceback(None)", self.file, "exec"), {"error": self.error})
        yield from ()


@final
@dataclass(frozen=True)
class Asking(Raising):
    """The same where code of a model runs."""

    foreign: ClassVar[bool] = True


OURS, LIBRARY = str(REPOSITORY / "harness/models/_made_up.py"), "/site-packages/library/made_up.py"
INPUT, NOBODY, FAULT = (True, False), (False, False), (False, True)  # wrong input, our fault
ENDS = [
    # what is raised, and how the job ends: one of ours; one of a model, in our line, in the library's
    (DistillbenchError("file f: expected rows"), INPUT, INPUT, INPUT),
    (Unavailable("too few"), NOBODY, NOBODY, NOBODY),
    *(
        (error, FAULT, NOBODY, NOBODY)  # a line of C code that a line of ours calls leaves no frame
        for error in (
            OSError("gone"), ConnectionError("refused"), RuntimeError("out of memory"), ValueError("shapes"),
            MemoryError(), RecursionError("too deep"), NotImplementedError("no such device"),
            UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "bad"),
        )
    ),
    *(
        (error, FAULT, FAULT, NOBODY)
        for error in (
            KeyError("x"), IndexError("9"), TypeError("None"), AttributeError("x"), AssertionError("x"),
            ZeroDivisionError("x"), ImportError("x"), NameError("x"), UserWarning("x"), StopAsyncIteration(),
            SystemExit(3), ExceptionGroup("x", [KeyError("y")]),
        )
    ),
]  # fmt: skip


@pytest.mark.parametrize(("error", "ours", "asked", "theirs"), ENDS, ids=lambda x: type(x).__name__)
def test_every_kind_of_exception_ends_its_job_alone(
    tmp_path: Path,
    error: BaseException,
    ours: tuple[bool, bool],
    asked: tuple[bool, bool],
    theirs: tuple[bool, bool],
) -> None:
    store, told = Store(tmp_path), list[News]()
    desk = Desk(store, None, told.append)
    jobs = {
        "a": Raising(("a",), "a", "a", {}, error=error, file=OURS),
        "b": Asking(("b",), "b", "b", {}, error=error, file=OURS),
        "c": Asking(("c",), "c", "c", {}, error=error, file=LIBRARY),
    }
    for (key, raising), expected in zip(jobs.items(), (ours, asked, theirs), strict=True):
        ended = carry_out(raising, desk)
        assert (ended.wrong_input, ended.our_fault) == expected, key
        assert ended.error == store.failure(key)
        assert ended.error
        assert len(ended.error.splitlines()) == 1
        text = (tmp_path / f"failures/{key}.txt").read_text("utf-8")
        assert "Traceback (most recent call last)" in text
        assert [n.alarm for n in told if n.part == key and n.alarm] == [
            f"missing {key}: {ended.error}"
        ]


def test_who_stops_the_program_stops_its_jobs(tmp_path: Path) -> None:
    desk = Desk(Store(tmp_path), None, lambda news: None)
    with pytest.raises(KeyboardInterrupt):
        carry_out(Raising(("a",), "a", "a", {}, error=KeyboardInterrupt(), file=OURS), desk)


@pytest.mark.parametrize("workers", [1, 2])
def test_without_space_nothing_goes_on(tmp_path: Path, workers: int) -> None:
    with pytest.raises(OSError, match="no space left"):
        run(Store(tmp_path), job("a", "full"), job("b"), workers=workers)


@pytest.mark.slow  # seconds
@pytest.mark.parametrize("workers", [1, 2])
def test_a_job_whose_process_is_killed_is_tried_once_more(tmp_path: Path, workers: int) -> None:
    """With one worker too, where a job loads something: this process is never the one that is killed."""
    store = Store(tmp_path)
    a, b = (
        replace(job(k, t), imports=("json",)) for k, t in (("a", "killed"), ("b", "killed once"))
    )
    ended = run(store, a, b, job("c"), workers=workers)
    assert store.has("b")
    assert store.has("c")
    assert ended["killed"].error == "its process was killed by signal 9, twice; out of memory?"
    assert store.failure("a") == ended["killed"].error
    assert not ended["killed"].our_fault


def test_one_worker_loads_in_a_process_of_its_own(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run(store, replace(job("a"), imports=("json",)), job("b"))
    assert [store.provenance(k)["pid"] == os.getpid() for k in "ab"] == [False, True]


@pytest.mark.slow  # seconds
def test_a_process_killed_while_it_has_nothing_to_do_is_replaced(tmp_path: Path) -> None:
    desk = Desk(Store(tmp_path), None, lambda news: None)
    with (
        stage("x", Forecast([("a", {})])) as shown,
        local._Crew(1, replace(desk, tell=shown.hear), [job("a")]) as crew,
    ):
        crew.work_off(shown)
        (worker,) = crew._workers
        worker.process.kill()
        worker.process.join()
        crew.waiting.append(job("b"))
        (ended,) = crew.work_off(shown)
    assert not ended.error
    assert desk.store.has("b")


class Torn:
    """The end of a pipe whose other end was killed in the middle of a message; and the process."""

    exitcode = -9

    def recv(self) -> None:
        """Half a message."""
        raise OSError("got end of file during message")

    def close(self) -> None:
        """Nothing."""

    def join(self) -> None:
        """Nothing."""


def test_a_process_killed_in_the_middle_of_a_message_is_a_killed_process(tmp_path: Path) -> None:
    desk, torn = Desk(Store(tmp_path), None, lambda news: None), Torn()
    crew = local._Crew(0, desk, [])
    for _ in range(2):
        worker: Any = local._Worker(torn, torn, job("a"))  # type: ignore[arg-type]
        crew._workers = [worker]
        ended = list(crew._heard(worker))
    (end,) = ended
    assert isinstance(end, Ended)
    assert end.error == "its process was killed by signal 9, twice; out of memory?"
    assert not end.our_fault


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


def test_jobs_that_share_something_follow_one_another_in_one_process(tmp_path: Path) -> None:
    store = Store(tmp_path)
    shared = [replace(job(f"{k}{i}"), shares=k) for i in range(3) for k in "ab"]
    run(store, *shared, job("c"), job("d"), workers=2)
    pids = {key: store.provenance(key)["pid"] for key in ("a0", "a1", "a2", "b0", "b1", "b2")}
    assert pids["a0"] == pids["a1"] == pids["a2"]
    assert pids["b0"] == pids["b1"] == pids["b2"] != pids["a0"]
    run(store, *(replace(job(f"e{i}"), shares="e") for i in range(4)), job("f"), workers=2)
    assert len({store.provenance(f"e{i}")["pid"] for i in range(4)}) == 1
    assert all(store.has(key) for key in "cdf")


SCRIPT = """
import time
from pathlib import Path
from typing import Any, ClassVar, final
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
