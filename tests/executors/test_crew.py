"""Jobs on other machines: what goes together, what is tried again, and what stays, on a cluster that a script loses."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from harness.console.forecast import Sort
from harness.console.progress import News
from harness.executors import _cluster
from harness.executors._cluster import Gone
from harness.executors._lines import Line, Stopped
from harness.store.store import Store
from tests.core.simple_jobs import Simple, job
from tests.executors.in_process import work_off

KILLED = Gone("killed by signal 9 on node1; out of memory?", "node1")


def away(key: str, *, bundle: int = 1, needs: tuple[str, ...] = (), group: str = "") -> Simple:
    """A job that goes to another machine."""
    return replace(job(key, needs=needs, group=group), bundle=bundle)


def test_jobs_go_once_what_they_need_is_there(tmp_path: Path) -> None:
    jobs = [away("c", needs=("b",)), away("b", needs=("a",)), job("a"), away("d", needs=("no",))]
    ended, machines = work_off(Store(tmp_path), *jobs)
    assert list(ended) == ["a", "b", "c"]
    assert [titles for titles, _ in machines.asked] == [["b"], ["c"]]  # a stays


def test_what_stays_and_is_long_waits_for_the_cluster(tmp_path: Path) -> None:
    short = replace(job("short"), apart=False)
    ended, _ = work_off(Store(tmp_path), job("long"), away("a"), short, away("b"))
    assert list(ended) == ["short", "a", "b", "long"]


def test_a_lost_job_is_tried_once_more_on_another_node(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ended, machines = work_off(store, away("a"), away("b"), a=[KILLED])
    assert not ended["a"].error
    assert store.has("a")
    assert machines.asked == [(["a"], set()), (["b"], set()), (["a"], {"node1"})]


def test_a_job_lost_twice_is_missing_with_its_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    store = Store(tmp_path)
    ended, _ = work_off(store, away("a"), away("b"), a=[KILLED, KILLED])
    assert ended["a"].error == f"{KILLED.reason} (try 2 of 2)"
    assert store.failure("a") == ended["a"].error
    assert (ended["a"].our_fault, ended["a"].wrong_input) == (False, False)
    assert store.has("b")


def test_what_no_machine_can_do_is_not_tried_again(tmp_path: Path) -> None:
    refused = Gone("sbatch refuses it: too many GPUs", final=True)
    ended, machines = work_off(Store(tmp_path), away("a"), a=[refused])
    assert ended["a"].error == refused.reason
    assert len(machines.asked) == 1


def test_those_behind_a_lost_job_have_lost_nothing(tmp_path: Path) -> None:
    jobs = [away(k, bundle=9) for k in "abc"]
    ended, machines = work_off(Store(tmp_path), *jobs, b=[KILLED], c=[KILLED])
    assert not any(e.error for e in ended.values())
    assert [titles for titles, _ in machines.asked] == [["a", "b", "c"], ["b", "c"], ["c"]]


def test_who_is_evicted_goes_on_as_often_as_it_gets_further(tmp_path: Path) -> None:
    over = Gone("its time was over", "node1", outside=True)
    got_on: list[Line | Gone] = [News("a", ended={Sort("x"): 0.1}, seconds=1.0), over]
    ended, machines = work_off(Store(tmp_path / "1"), away("a"), a=[*got_on, *got_on, *got_on])
    assert not ended["a"].error
    assert len(machines.asked) == 4
    ended, _ = work_off(Store(tmp_path / "2"), away("a"), a=[over, over])
    assert ended["a"].error == "its time was over (try 2 of 2)"


def test_a_failed_node_is_not_the_job_s_fault(tmp_path: Path) -> None:
    failed = Gone("the node n1 failed", "n1", outside=True, tries=5)
    ended, _ = work_off(
        Store(tmp_path / "1"), away("a"), a=[failed, KILLED, failed, failed, failed]
    )
    assert not ended["a"].error
    ended, _ = work_off(Store(tmp_path / "2"), away("a"), a=[failed] * 5)
    assert ended["a"].error == "the node n1 failed (try 5 of 5)"
    ended, _ = work_off(Store(tmp_path / "3"), away("a"), a=[failed, KILLED, failed, KILLED])
    assert ended["a"].error == f"{KILLED.reason} (try 2 of 2)"


def test_a_full_disk_ends_the_run(tmp_path: Path) -> None:
    full = Stopped("node1: rows.parquet: No space left on device", errno.ENOSPC)
    with pytest.raises(OSError, match="No space left"):
        work_off(Store(tmp_path), away("a"), a=[full])


def test_a_refusal_of_one_machine_is_asked_of_another(tmp_path: Path) -> None:
    ended, _ = work_off(Store(tmp_path), away("a"), a=[Stopped("node1: file f: none")])
    assert not ended["a"].error
    ended, _ = work_off(Store(tmp_path), away("b"), b=[Stopped("node1: file f: none")] * 2)
    assert ended["b"].error == "node1: file f: none (try 2 of 2)"


def test_jobs_of_one_group_are_not_at_work_at_once(tmp_path: Path) -> None:
    _, machines = work_off(Store(tmp_path), *(away(k, group="weights") for k in "ab"), away("c"))
    assert [titles for titles, _ in machines.asked] == [["a"], ["c"], ["b"]]


def test_small_jobs_go_together(tmp_path: Path) -> None:
    many = [away(str(i), bundle=3) for i in range(10)]
    _, machines = work_off(Store(tmp_path / "2"), *many, size=2)
    assert [len(titles) for titles, _ in machines.asked] == [5, 5]
    _, machines = work_off(Store(tmp_path / "9"), *many, size=9)
    assert [len(titles) for titles, _ in machines.asked] == [3, 3, 3, 1]


def test_what_cannot_be_seen_here_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_cluster, "_PATIENCE_S", -1.0)
    monkeypatch.setattr(Store, "has", lambda self, key: False)
    ended, _ = work_off(Store(tmp_path), away("a"))
    assert "to be the same folder on all machines" in ended["a"].error
