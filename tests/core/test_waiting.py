"""A cell that another process holds: who holds it is said, and one that shows no sign of life is not waited for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.console.progress import News
from harness.stages import answering
from harness.stages.unfinished import Unanswered
from harness.store.locks import Holder, Pulse
from harness.store.store import Store
from harness.store.waiting import Pace, Wait
from harness.types import DistillbenchError, Unavailable
from tests.core.running import REPOSITORY
from tests.joints.small import planned, requests_of

KEY = "ab" + "0" * 62
HOLDER = Holder("node7", 4711)
HOLDS = """
import sys, time
from pathlib import Path
from harness.store.store import Store
store = Store(Path(sys.argv[1]))
store._pulse.beat_s = 0.02
with store.work(sys.argv[2]) as work:
    print(work is not None, flush=True)
    time.sleep(60)
"""


def test_the_holder_is_named_once_after_five_seconds() -> None:
    wait = Wait("student x open", since_s=100.0)
    said = [wait.look(HOLDER, sign, 100.0 + sign) for sign in range(1, 9)]
    line = "student x open: waiting for process 4711 on node7, which collects it"
    assert said == ["", "", "", "", line, "", "", ""]


def test_a_holder_that_lives_is_waited_for() -> None:
    wait = Wait("student x open", since_s=0.0)
    looks = [wait.look(HOLDER, s // 50, float(s)) for s in range(1, 1000)]
    assert not any(isinstance(look, Unavailable) for look in looks)


def test_a_holder_without_a_sign_of_life_is_given_up_after_a_minute() -> None:
    wait = Wait("student x open", since_s=0.0)
    looks = [wait.look(HOLDER, "the same", float(s)) for s in range(1, 62)]
    assert [isinstance(look, Unavailable) for look in looks] == [False] * 60 + [True]
    assert "process 4711 on node7" in str(looks[-1])
    assert "paths.lock=false" in str(looks[-1])


def test_a_cell_whose_holder_is_silent_is_missing_and_the_others_are_collected(
    tmp_path: Path,
) -> None:
    plan, store = planned(tmp_path)
    cells = tuple(
        Unanswered(**vars(c), requests=requests_of(c, store))
        for c in plan.collections
        if c.model == "student"
    )
    job = answering.ModelJob(plan.run.models["student"], plan.run.paths, cells)
    now, news = [0.0], list[News]()

    def sleep(seconds: float) -> None:
        """Lets time pass."""
        now[0] += seconds

    other = Store(store.root)
    other._pulse.beat_s = 1e6  # as if it were stopped
    with other.work(cells[0].key) as work:
        assert work is not None
        answering.answer_all(job, store, news.append, Pace(lambda: now[0], sleep))
    assert 60 <= now[0] < 70
    assert [store.has(c.key) for c in cells] == [False, *[True] * (len(cells) - 1)]
    me = str(Holder.here())
    assert me in str(store.failure(cells[0].key))
    alarms = [n.alarm for n in news if n.alarm]
    assert len(alarms) == 2
    assert f"waiting for {me}" in alarms[0]


@pytest.mark.slow
def test_a_stopped_process_shows_no_sign_of_life_and_goes_on_with_one(tmp_path: Path) -> None:
    store = Store(tmp_path)
    line = [sys.executable, "-c", HOLDS, str(tmp_path), KEY]
    with subprocess.Popen(line, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "True\n"
            assert store.holder(KEY) == Holder(os.uname().nodename, process.pid)
            assert _changes(store)
            process.send_signal(signal.SIGSTOP)
            os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            stopped = store.last_sign(KEY)
            time.sleep(0.3)
            assert store.last_sign(KEY) == stopped
            process.send_signal(signal.SIGCONT)
            assert _changes(store)
        finally:
            process.kill()
            process.wait()
    with store.work(KEY) as work:  # the kernel has dropped the lock
        assert work is not None
        assert store.holder(KEY) == Holder.here()


def _changes(store: Store) -> bool:
    """Whether a sign of life comes, however slow the machine."""
    before = store.last_sign(KEY)
    for _ in range(2000):
        if store.last_sign(KEY) != before:
            return True
        time.sleep(0.01)
    return False


def test_the_pulse_ends_with_the_last_lock(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.touch()
    pulse = Pulse(beat_s=0.001)
    with pulse.beating(one), pulse.beating(other):
        over = pulse._over
        assert over is not None
        os.utime(one, (1, 1))
        while one.stat().st_mtime == 1:
            time.sleep(0.001)
    assert over.is_set()
    assert pulse._over is None


def test_a_file_system_without_locks_is_one_line_with_the_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(*_: object) -> None:
        """As some network file systems answer."""
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr("harness.store.locks.fcntl.flock", flock)
    with (
        pytest.raises(DistillbenchError, match="this file system has no locks"),
        Store(tmp_path).work(KEY),
    ):
        pass
    with Store(tmp_path, lock=False).work(KEY) as work:
        assert work is not None
