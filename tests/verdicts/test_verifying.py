"""Verifying: what lies in a bundle is weighed again, so that a change that covers its traces is found too."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.board.plain import from_plain, to_plain
from harness.cli.main import _COMMANDS
from harness.cli.verifying import verify
from harness.panel.panel import View
from harness.plugins import kinds, plugin_class, use_folders
from harness.stages import bundle, verifying
from harness.stages.verifying import opened
from harness.types import DistillbenchError
from tests.core.running import inside
from tests.verdicts.bundles import copy, with_manifest_anew, write_bundle

Told = pytest.CaptureFixture[str]


def changed_json(path: Path, change: Callable[[Any], None]) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_bytes(bundle.as_json(value))


def swap_answers(folder: Path) -> None:
    """The suspect's answers become those of a student of the other family."""
    files = {n.rpartition("/")[2][4:-6]: p for n, p in bundle.files_in(folder / "answers").items()}
    head = files["one-student-0"].read_text().partition("\n")[0]
    files["one-student-0"].write_text(
        head + "\n" + files["two-student-0"].read_text().partition("\n")[2]
    )


def test_an_untouched_bundle_verifies(made: Path, capsys: Told) -> None:
    digest = bundle.sha256((made / "manifest.json").read_bytes())
    plan = bundle.sha256((made / "plan.json").read_bytes())
    assert verify([str(made), "--digest", digest, "--plan", plan]) == 0
    said = capsys.readouterr().out
    assert f"digest of manifest.json: {digest}" in said
    assert "every byte is as the manifest says" in said
    assert "every verdict and every rate is the same" in said


def test_every_command_shows_its_help(tmp_path: Path) -> None:
    assert _COMMANDS["verify"] is verify
    for command in _COMMANDS:
        assert inside(tmp_path, command, "-h", bare=True).returncode == 0, command


def test_another_digest_than_was_written_down_is_a_difference(made: Path, capsys: Told) -> None:
    assert verify([str(made), "--digest", "0" * 64, "--plan", "1" * 64]) == 1
    said = capsys.readouterr().out
    assert "this is another bundle" in said
    assert "this is another plan" in said


def test_changed_bytes_give_1_and_no_bundle_is_an_error(
    made: Path, tmp_path: Path, capsys: Told
) -> None:
    folder = copy(made, tmp_path / "out")
    (folder / "lines.json").write_bytes((folder / "lines.json").read_bytes() + b" ")
    (folder / "\x1b[31m\nred").write_text("x")
    assert verify([str(folder)]) == 1
    said = capsys.readouterr().out
    assert "lines.json: changed" in said
    assert "\x1b" not in said
    assert "[31m⟦U+000A⟧red: further" in said
    with pytest.raises(DistillbenchError, match="expected a bundle"):
        verify([str(tmp_path)])


def test_changed_answers_under_a_new_manifest_are_found_by_weighing(
    made: Path, tmp_path: Path, capsys: Told
) -> None:
    folder = copy(made, tmp_path / "out")
    swap_answers(folder)
    with_manifest_anew(folder)
    assert verify([str(folder)]) == 1
    said = capsys.readouterr().out
    assert "every byte is as the manifest says" in said
    assert "verdict ngram_ratio on talk of one-student-0 and one: " in said
    assert "odds: " in said


def raise_odds(folder: Path) -> None:
    def change(value: Any) -> None:
        value["verdicts"][0]["opinion"]["odds"] *= 2

    changed_json(folder / "verdicts.json", change)


def hide_an_innocent(folder: Path) -> None:
    def change(value: Any) -> None:
        value["rates"][0]["n_innocent"] += 40

    changed_json(folder / "verdicts.json", change)


def drop_a_verdict(folder: Path) -> None:
    changed_json(folder / "verdicts.json", lambda value: value["verdicts"].pop())


def repeat_a_verdict(folder: Path) -> None:
    changed_json(folder / "verdicts.json", lambda v: v["verdicts"].append(v["verdicts"][-1]))


def acquit(folder: Path) -> None:
    def change(value: Any) -> None:
        control = next(o for o in value["origins"] if o["model"] == "control-0")
        control |= {"standing": "student", "family": "one"}

    changed_json(folder / "case.json", change)


def lower_the_bound(folder: Path) -> None:
    changed_json(folder / "case.json", lambda v: v["methods"][0]["fields"].update(bound=1.5))


def claim_a_plan(folder: Path) -> None:
    changed_json(folder / "case.json", lambda v: v.update(is_registered=True))


def another_seed(folder: Path) -> None:
    changed_json(folder / "case.json", lambda v: v.update(seed=9))


def praise(folder: Path) -> None:
    path = folder / "exhibit.md"
    path.write_text(path.read_text().replace("cannot tell", "supports", 1))


def reword_the_page(folder: Path) -> None:
    path = folder / "index.html"
    path.write_text(path.read_text().replace("The plan was not fixed", "The plan was fixed"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (raise_odds, "verdict ngram_ratio on talk of"),
        (hide_an_innocent, "rates ngram_ratio on talk of all families: n_innocent: 43 in"),
        (drop_a_verdict, "missing in the bundle"),
        (repeat_a_verdict, "verdicts.json: is not what weighing again gives"),
        (acquit, "case.json: documented is not what plan.json says"),
        (lower_the_bound, "case.json: methods is not what plan.json says"),
        (claim_a_plan, "exhibit.md: says something else"),
        (another_seed, "case.json: seed is not what plan.json says"),
        (praise, "exhibit.md: says something else"),
        (reword_the_page, "index.html: says something else"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_every_claim_is_compared_even_under_a_new_manifest(
    made: Path, tmp_path: Path, capsys: Told, change: Callable[[Path], None], named: str
) -> None:
    folder = copy(made, tmp_path / "out")
    change(folder)
    with_manifest_anew(folder)
    assert verify([str(folder)]) == 1
    said = capsys.readouterr().out
    assert "every byte is as the manifest says" in said
    assert named in said


def wrong_type(folder: Path) -> None:
    changed_json(folder / "case.json", lambda v: v.update(origins=[7]))


def name_outside(folder: Path) -> None:
    changed_json(folder / "case.json", lambda v: v["answers"][0].update(file="../../secret"))


def no_text(folder: Path) -> None:
    path = next(iter(bundle.files_in(folder / "answers").values()))
    path.write_text(path.read_text().partition("\n")[0] + "\n")


def deep(folder: Path) -> None:
    (folder / "verdicts.json").write_text("[" * 100_000)


def unknown_method(folder: Path) -> None:
    changed_json(folder / "case.json", lambda v: v["methods"][0].update(kind="my_own"))


def unknown_field(folder: Path) -> None:
    changed_json(folder / "case.json", lambda v: v["methods"][0]["fields"].update(run="rm -rf"))


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (wrong_type, "its case cannot be read"),
        (name_outside, "leads out of the bundle"),
        (no_text, "its answers cannot be weighed"),
        (deep, "its case cannot be read"),
        (unknown_method, "add --plugins DIR"),
        (unknown_field, "run"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_made_up_bundle_is_a_line_and_no_traceback(
    made: Path, tmp_path: Path, capsys: Told, change: Callable[[Path], None], named: str
) -> None:
    folder = copy(made, tmp_path / "out")
    change(folder)
    assert verify([str(folder)]) == 1
    assert named in capsys.readouterr().out


def test_other_code_is_said_first(
    made: Path, monkeypatch: pytest.MonkeyPatch, capsys: Told
) -> None:
    monkeypatch.setattr(verifying, "code_of", lambda verdict: "other")
    monkeypatch.setattr(verifying, "writer", lambda: "other")
    assert verify([str(made)]) == 0
    said = capsys.readouterr().out
    assert said.index("weighs with other code") < said.index("weighed again")
    assert "is not compared" in said


def test_rounding_of_another_machine_is_told_apart_from_a_change(made: Path) -> None:
    said = opened(made)
    first = said.verdicts[0]
    assert first.opinion.odds is not None

    def with_odds(odds: float) -> list[Any]:
        value = to_plain(said.verdicts)
        value[0]["opinion"]["odds"] = odds
        return [from_plain(type(first), v) for v in value]

    assert verifying.is_rounding(said, with_odds(first.opinion.odds * (1 + 1e-12)))
    assert not verifying.is_rounding(said, with_odds(first.opinion.odds * (1 + 1e-6)))


OWN = '''"""A method of somebody's own."""

from dataclasses import dataclass
from typing import ClassVar

from harness.panel.evidence import Opinion
from harness.panel.panel import View
from harness.verdicts import AbstractVerdict


@dataclass(frozen=True)
class Longest(AbstractVerdict):
    words: int = 3

    looks_at: ClassVar[View] = View.STYLE
    explanation: ClassVar[str] = "Chance."

    def prepare(self, crowd, rng):
        return crowd, rng.random()

    def weigh(self, prepared, suspect, known):
        crowd, chance = prepared
        n = len(" ".join(crowd.texts(suspect).values()))
        return [Opinion(f, own[0], n * chance, "cannot tell") for f, own in crowd.families.items()]
'''


@pytest.mark.slow
def test_a_method_of_somebodys_own_needs_its_file(
    place: Path, tmp_path: Path, capsys: Told
) -> None:
    (tmp_path / "own/verdicts").mkdir(parents=True)
    (tmp_path / "own/verdicts/longest.py").write_text(OWN)
    paths = {name: str(place / name) for name in ("results", "cache", "data")}
    folder = write_bundle(
        place,
        str(tmp_path / "out"),
        verdicts={"mine": {"kind": "longest"}},
        paths={**paths, "plugins": [str(tmp_path / "own")]},
    )
    assert verify([str(folder)]) == 1
    said = capsys.readouterr().out
    assert "'longest' is unknown" in said
    assert "add --plugins DIR" in said
    assert verify([str(folder), "--plugins", str(tmp_path / "own")]) == 0
    (tmp_path / "own/verdicts/longest.py").write_text(
        OWN.replace("n * chance", "n + 2 * chance")
    )  # longer: no old bytecode fits
    use_folders([])
    assert verify([str(folder), "--plugins", str(tmp_path / "own")]) == 1
    said = capsys.readouterr().out
    assert "mine: this distillbench weighs with other code than made the bundle" in said
    assert "score: " in said
    use_folders([])


OF_TALK = [k for k in kinds("verdicts") if plugin_class("verdicts", k).looks_at is View.STYLE]


@pytest.mark.parametrize("kind", OF_TALK)
def test_a_bundle_of_every_method_verifies(
    place: Path, tmp_path: Path, capsys: Told, kind: str
) -> None:
    folder = write_bundle(place, str(tmp_path / "out"), verdicts={kind: None})
    assert opened(folder).exhibit.weighed == ((kind, "talk"),)
    assert verify([str(folder)]) == 0, capsys.readouterr().out
