"""What a person sees while a run works, with and without a terminal."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from harness.console import progress
from harness.console.forecast import Forecast, Sort
from harness.console.progress import Display, News, Stage, in_words
from harness.models.fake import FakeSession
from harness.stages.ask import ask
from harness.stages.collect import collect, collect_jobs
from harness.stages.run import CELLS_MISSING, execute
from harness.stages.score import score
from harness.store.store import Store
from harness.types import Decoding, Outputs, Request
from tests.core.running import REPOSITORY, run_of

WORK = Sort("work")
# of the forty open prompts: 16 each, a third of a context's characters, 4 for each of 256 tokens to
# be written
OPEN_TOKENS = sum(16 + len(f"Tell me about thing {i}.") / 3 + 4 * 256 for i in range(40))


class Watched:
    """A display whose clock stands until it is moved, with the lines that it wrote and when."""

    def __init__(self) -> None:
        self.now_s, self.lines = 0.0, list[str]()
        self.times_s: list[float] = []
        self.display = Display(clock=lambda: self.now_s, write=self._write, ticking=False)

    def wait(self, seconds: int) -> None:
        """Lets time pass, with a look every second."""
        for _ in range(seconds):
            self.now_s += 1
            self.display.tick()

    def _write(self, line: str) -> None:
        self.lines.append(line)
        self.times_s.append(self.now_s)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_stage_that_tells_nothing_is_spoken_of_all_the_same(watched: Watched) -> None:
    with watched.display.stage("building the requests of gsm8k"):
        watched.wait(100)
    assert watched.times_s == [5, 20, 35, 50, 65, 80, 95]
    assert watched.lines[1] == "building the requests of gsm8k (20 s so far)"
    watched.wait(100)
    assert len(watched.lines) == 7


def test_many_short_stages_are_not_silence(watched: Watched) -> None:
    for _ in range(30):
        with watched.display.stage("reading one of many files"):
            watched.wait(4)
    assert max(b - a for a, b in zip([0, *watched.times_s], watched.times_s, strict=False)) <= 20
    assert len(watched.lines) <= 120 / 15


def test_what_is_said_anyway_puts_off_the_next_line(watched: Watched) -> None:
    with watched.display.stage("collecting", Forecast([("a", {WORK: 4})])) as stage:
        watched.wait(5)
        for _ in range(4):
            watched.wait(10)
            stage.hear(News("a", ended={WORK: 1}, seconds=10.0, line="done something"))
    assert watched.times_s == [5, 15, 25, 35, 45]
    assert watched.lines[1] == "done something (25 % of the work, about 30 s left)"
    assert watched.lines[-1] == "done something (all done after 45 s)"


def test_a_line_says_what_is_done_how_far_and_how_long(watched: Watched) -> None:
    with watched.display.stage("collecting", Forecast([("student", {WORK: 100})])) as stage:
        stage.hear(News("student", doing="loading student"))
        watched.wait(20)
        stage.hear(News("student", ended={WORK: 40}, seconds=120.0))
        stage.hear(News("student", doing="student x gsm8k, 80 of 200 requests", begun={WORK: 20}))
        watched.wait(15)
        stage.hear(News("student", over=True))
        watched.wait(15)
    assert watched.lines == [
        "collecting: loading student, 0 % of the work, time left not known yet",
        "collecting: loading student (20 s so far), 0 % of the work, time left not known yet",
        "collecting: student x gsm8k, 80 of 200 requests (15 s so far), 40 % of the work, about 3 min left",
        "collecting: all done after 50 s",
    ]


def test_parts_that_have_only_a_share_show_it_and_are_counted(watched: Watched) -> None:
    forecast = Forecast(((name, {WORK: 10}) for name in ("teacher_a", "base", "answers_a")), 2)
    with watched.display.stage("zoo", forecast, "things ready") as stage:
        for name in ("teacher_a", "base"):
            stage.hear(News(name, doing=""))
        stage.hear(News("teacher_a", doing="", ended={WORK: 4.3}, seconds=43.0))
        watched.wait(5)
        stage.hear(News("base", over=True, line="zoo: base is ready"))
    # 10 s a unit: 25.7 units, two at a time; then 5.7 and 10 units, of which the 10 take longer
    assert watched.lines == [
        "zoo: teacher_a 43 %, base 0 %, 0 of 3 things ready, 14 % of the work, about 2 min left",
        "zoo: base is ready (1 of 3 things ready, 47 % of the work, about 100 s left)",
    ]


def test_the_innermost_stage_speaks(watched: Watched) -> None:
    with watched.display.stage("looking at model student"):
        with watched.display.stage("reading model.safetensors (4.1 GB)"):
            watched.wait(5)
        watched.wait(15)
    assert watched.lines == [
        "reading model.safetensors (4.1 GB) (5 s so far)", "looking at model student (10 s so far)",
    ]  # fmt: skip


def test_what_goes_wrong_is_said_without_a_share(watched: Watched) -> None:
    with watched.display.stage("collecting", Forecast([("a", {WORK: 4})])) as stage:
        stage.hear(News("a", ended={WORK: 4}, alarm="missing a x b: no memory"))
    assert watched.lines == ["missing a x b: no memory"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (119, "119 s"), (180, "3 min"), (5940, "99 min"), (7800, "2 h 10 min")],
)
def test_times_have_two_digits_or_so(seconds: float, words: str) -> None:
    assert in_words(seconds) == words


def test_a_model_s_work_is_that_of_all_its_tasks_and_samples(tmp_path: Path) -> None:
    run = run_of(tmp_path)
    plan = ask(run, Store(run.paths.results))
    jobs = collect_jobs(plan, lambda key: True)
    forecast = Forecast((job.part, job.amounts) for job in jobs)
    assert forecast.parts == ("teacher", "student", "base", "other")
    opened, quiz = OPEN_TOKENS, sum(16 + len(f"q{i}") / 3 for i in range(40))
    before = forecast.share()
    forecast.finish("teacher")
    # two samples of the teacher
    assert forecast.share() - before == pytest.approx((2 * opened + quiz) / (5 * opened + 4 * quiz))


def test_a_line_comes_while_one_call_lasts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model answers only once the line is there."""
    said, lines = threading.Event(), list[str]()

    def write(line: str) -> None:
        lines.append(line)
        if line.startswith("collecting: teacher x open, 0 of 40 requests"):
            said.set()

    for name in ("FIRST_S", "LINE_S", "LOOK_S"):
        monkeypatch.setattr(progress, name, 0.01)
    monkeypatch.setattr(progress, "_display", Display(write=write))
    honest, heard = FakeSession.answer_batch, list[bool]()

    def patient(
        self: FakeSession, requests: Sequence[Request], ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        heard.append(said.wait(20))
        return honest(self, requests, ids, decoding)

    monkeypatch.setattr(FakeSession, "answer_batch", patient)
    run = run_of(tmp_path)
    store = Store(run.paths.results)
    collect(ask(run, store), store)
    assert heard
    assert all(heard)
    assert "time left not known yet" in next(
        line for line in lines if line.startswith("collecting: teacher x open")
    )
    done = [line for line in lines if line.startswith("done ")]
    assert len(done) == 4 * 2
    assert all(
        re.search(
            r"\((\d+ % of the work, (about|perhaps) \S+ s left|all done after \S+ s)\)$", line
        )
        for line in done
    )
    assert not [t for t in threading.enumerate() if t.name == "progress"]


def test_a_cell_that_fails_halfway_is_not_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines, heard = list[str](), list[News]()
    monkeypatch.setattr(progress, "_display", Display(write=lines.append, ticking=False))
    honest, hear = FakeSession.answer_batch, Stage.hear

    def listen(self: Stage, news: News) -> None:
        heard.append(news)
        hear(self, news)

    monkeypatch.setattr(Stage, "hear", listen)

    def broken(
        self: FakeSession, requests: Sequence[Request], ids: Sequence[str], decoding: Decoding
    ) -> Outputs:
        if (self.model.name, decoding.sample, requests[0].kind) == (
            "teacher",
            0,
            "generate",
        ) and len(requests) == 10:
            raise RuntimeError("the server said no")
        return honest(self, requests, ids, decoding)

    monkeypatch.setattr(FakeSession, "answer_batch", broken)
    monkeypatch.setattr(
        FakeSession,
        "batches",
        lambda self, ask: [list(range(30)), list(range(30, 40))],
    )
    run = run_of(tmp_path)
    assert execute(run, Path("nowhere.csv"), alone=False).code == CELLS_MISSING
    assert "missing teacher x open: the server said no" in lines
    assert [line for line in lines if line.startswith("done other x quiz (all done after")]
    ended = sum(n.ended.get(Sort("generate", "open"), 0.0) for n in heard if n.part == "teacher")
    assert ended == pytest.approx(2 * OPEN_TOKENS)  # both samples, once each


BLOCKED = """
import sys
from pathlib import Path
from harness.console import progress
from harness.models.fake import FakeSession
from harness.stages.run import execute
from tests.core.running import run_of

progress.FIRST_S = progress.LINE_S = progress.LOOK_S = 0.02
honest = FakeSession.answer_batch
def blocked(self, *words):
    if self.model.name == "student":
        sys.stdin.readline()
    return honest(self, *words)
FakeSession.answer_batch = blocked
sys.exit(execute(run_of(Path(sys.argv[1])), Path("nowhere.csv"), alone=True).code)
"""


def _kill_if_stuck(process: subprocess.Popen[str]) -> None:
    timer = threading.Timer(60, process.kill)
    timer.daemon = True
    timer.start()


@pytest.mark.slow
def test_without_a_terminal_lines_come_while_a_model_is_busy(tmp_path: Path) -> None:
    command = [sys.executable, "-c", BLOCKED, str(tmp_path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=pipe, stderr=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        _kill_if_stuck(process)
        seen = 0
        for line in process.stderr:
            assert "\x1b" not in line
            seen += "collecting: student x open, 0 of 40 requests" in line and "left" in line
            if seen == 3:
                break
        process.stdin.write("go on\n" * 10)
        process.stdin.close()
        rest = process.stderr.read()
    assert seen == 3
    assert process.returncode == 0, rest
    assert "writing the page (" in rest


@pytest.mark.slow
def test_on_a_terminal_bars_move_while_a_model_is_busy(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", BLOCKED, str(tmp_path)]
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "160"}
    with subprocess.Popen(
        command, cwd=REPOSITORY, stdin=subprocess.PIPE, stderr=theirs, text=True, env=environment
    ) as process:
        os.close(theirs)
        _kill_if_stuck(process)
        screen = ""
        while not re.search(
            r"collecting .*% of the work, (about|perhaps).*student .*0 %, about .*student x open, 0 of",
            screen,
        ):
            screen = re.sub(
                r"\x1b\[[0-9;?]*[A-Za-z]",
                "",
                screen + os.read(ours, 4096).decode("utf-8", "replace"),
            )
            screen = screen.replace("\r", " ").replace("\n", " ")
        assert process.stdin is not None
        process.stdin.write("go on\n" * 10)
        process.stdin.close()
        while True:
            try:
                if not os.read(ours, 4096):
                    break
            except OSError:  # the other side is closed
                break
    os.close(ours)
    assert process.returncode == 0
    assert "done teacher" not in screen  # bars say it


def test_processes_tell_their_parent_what_they_are_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[str] = []
    monkeypatch.setattr(progress, "_display", Display(write=lines.append, ticking=False))
    run = run_of(tmp_path, workers=2)
    store = Store(run.paths.results)
    collect(ask(run, store), store)
    done = [line for line in lines if line.startswith("done ")]
    assert len(done) == 4 * 2
    assert "(all done after" in done[-1]


def test_scores_are_the_same_from_processes_and_they_tell_what_they_are_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard, hear = list[News](), Stage.hear

    def listen(self: Stage, news: News) -> None:
        heard.append(news)
        hear(self, news)

    monkeypatch.setattr(Stage, "hear", listen)
    found = []
    for name, worth_processes in (("one", 1_000), ("many", 1)):
        (tmp_path / name).mkdir()
        run = run_of(tmp_path / name, metrics={"task_score": None, "capa": None})
        monkeypatch.setattr("harness.stages.score._WORTH_PROCESSES", worth_processes)
        store = Store(run.paths.results)
        plan = ask(run, store)
        collect(plan, store)
        heard.clear()
        found.append((score(plan, store).scores, sorted((n.part, n.doing or "") for n in heard)))
    assert found[0] == found[1]
    assert "capa of student, quiz" in {doing for _, doing in found[1][1]}
