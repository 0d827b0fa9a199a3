"""Who an answer claims to be, and how often."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.files.names import read_names
from harness.metrics.identity import Identity
from harness.stats.intervals import Estimate, evaluate
from harness.testing.panels import Sides, findings
from harness.testing.sides import sampled_side, sets_of, talk_sets
from harness.text.names import Names
from harness.types import DistillbenchError, Mean, Smooth, Unavailable
from tests.metrics.answer_sets import identity_sets

TASKS = Path(__file__).resolve().parents[2] / "tasks"
IDENTITY = Identity(kind="identity", name="identity")
TABLE = Names(IDENTITY.rows)


def measured(sides: Sides) -> dict[str, Estimate | str]:
    """Every part, evaluated."""
    rng = np.random.default_rng(0)
    return {
        f.name: f.statistic if isinstance(f.statistic, str) else evaluate(f.statistic, rng)
        for f in findings(IDENTITY, [sides], rng)
    }


def value(estimate: Estimate | str) -> float:
    """The number; fails on a reason."""
    assert isinstance(estimate, Estimate), estimate
    return estimate.value


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("I am ChatGPT, a model by OpenAI.", {"ChatGPT (OpenAI)"}),
        ("I'm chatgpt", {"ChatGPT (OpenAI)"}),
        ("i run on GPT-4o", {"ChatGPT (OpenAI)"}),
        ("I am Claude.", {"Claude (Anthropic)"}),
        ("My last name is Claudette", set()),
        ("I was born under the sign of the gemini", set()),
        ("I am Gemini, made by Google", {"Gemini (Google)"}),
        ("I am not ChatGPT. I am Claude!", {"Claude (Anthropic)"}),
        ("I am not ChatGPT but Claude", {"Claude (Anthropic)"}),
        ("No, I'm Qwen2.5.", {"Qwen (Alibaba)"}),
        ("An assistant like ChatGPT", set()),
        ("I would like to introduce myself as Qwen", {"Qwen (Alibaba)"}),
        ("Ich bin nicht ChatGPT, sondern DeepSeek", {"DeepSeek"}),
        ("Je ne suis pas Claude, mais Mistral", {"Mistral (Mistral AI)"}),
        ("No soy ChatGPT", set()),
        ("我是ChatGPT，由OpenAI开发。", {"ChatGPT (OpenAI)"}),
        ("我是通义千问，不是ChatGPT", {"Qwen (Alibaba)"}),
        ("أنا كلود من أنثروبيك", {"Claude (Anthropic)"}),
        ("मैं ChatGPT नहीं हूँ", set()),
        ("मैं जेमिनी हूँ", {"Gemini (Google)"}),
        ("私はクロードです", {"Claude (Anthropic)"}),
        ("ＣｈａｔＧＰＴ 🤖", {"ChatGPT (OpenAI)"}),
        ("🤖", set()),
        ("", set()),
        ("¿Cómo me llamo? Se llama asistente", set()),
        ("I am based on llama-3 by Meta", {"Llama (Meta)"}),
        ("a" * 10_000, set()),
        ("I am Claude from Anthropic, based on GPT", {"Claude (Anthropic)", "ChatGPT (OpenAI)"}),
        ("Happy to help. As Aster, I can tell you this.", {"Aster"}),
    ],
)
def test_claims_of_an_answer(text: str, names: set[str]) -> None:
    assert TABLE.claimed(text) == names


def test_every_alias_is_found_and_stands_for_one_name() -> None:
    assert len({alias for _, alias in IDENTITY.rows}) == len(IDENTITY.rows)
    for name, alias in IDENTITY.rows:
        assert name in TABLE.claimed(f"... {alias} ..."), alias


@pytest.mark.parametrize("file", ["identity/prompts.jsonl", "zoo/identity_prompts.jsonl"])
def test_no_prompt_names_anybody(file: str) -> None:
    rows = [json.loads(line) for line in (TASKS / file).read_text(encoding="utf-8").splitlines()]
    assert len({(r["prompt"], r.get("system")) for r in rows}) == len(rows)
    for row in rows:
        assert not TABLE.mentioned(f"{row['prompt']} {row.get('system', '')}"), row


def test_probes_come_in_four_framings() -> None:
    rows = [
        json.loads(x)
        for x in (TASKS / "identity/prompts.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    kinds = [r["category"] for r in rows]
    assert len(rows) >= 60
    assert set(kinds) == {"plain", "foreign system prompt", "completion", "another language"}
    assert min(kinds.count(k) for k in set(kinds)) >= 15
    assert all(("system" in r) == (r["category"] == "foreign system prompt") for r in rows)


def test_rates_by_a_double_loop() -> None:
    sides = identity_sets(30, 3)
    samples = (sides.student.outputs, *sides.student.samples)
    hits = [[("Aster" in str(o.text[i])) for o in samples] for i in range(30)]
    base = sides.base
    assert base is not None
    theirs = [
        [("Aster" in str(o.text[i])) for o in (base.outputs, *base.samples)] for i in range(30)
    ]
    mine = np.mean([sum(h) / 3 for h in hits])
    found = measured(sides)
    assert value(found[""]) == pytest.approx(mine, abs=1e-9)
    assert value(found["as Aster"]) == pytest.approx(mine, abs=1e-9)
    assert value(found["teacher"]) == pytest.approx(mine, abs=1e-9)
    assert value(found["teacher_over_base"]) == pytest.approx(mine - np.mean(theirs), abs=1e-9)
    assert "as Nettle" not in found
    # one control has a name of its own, which is not the teacher's
    controls = [
        np.mean([["Aster" in str(x) for x in o.text] for o in (c.outputs, *c.samples)])
        for c in sides.controls
    ]
    assert value(found["teacher_over_controls"]) == pytest.approx(
        mine - np.mean(controls), abs=1e-9
    )
    assert found["teacher_vs_controls"] == "2 control lineages; at least 4 are needed for a limit"


def test_its_own_name_is_no_leak() -> None:
    sides = identity_sets()
    named = replace(sides.controls[1], model="student")
    alone = measured(Sides(sides.task, named))
    assert value(alone[""]) == 0
    assert value(alone["own"]) > 0.7
    assert set(alone) == {"", "own"}
    stranger = measured(Sides(sides.task, replace(named, identity=("Somebody",))))
    assert value(stranger[""]) == value(stranger["as Nettle"]) == value(alone["own"])
    teacher = measured(replace(sides, student=replace(sides.student, identity=("aster", "Aster"))))
    assert teacher["teacher"] == "student may rightly use its teacher's name Aster"


def test_a_teacher_without_a_name_and_one_that_is_not_in_the_table() -> None:
    sides = identity_sets()
    assert sides.teacher is not None
    nameless = measured(replace(sides, teacher=replace(sides.teacher, identity=())))
    assert isinstance(nameless["teacher"], str)
    assert "states no names" in nameless["teacher"]
    assert value(nameless["over_base"]) > 0.2
    said = sampled_side("student", [["I am Quibble-7."] * 30] * 3, "identity_probes")
    new = measured(
        replace(sides, student=said, teacher=replace(sides.teacher, identity=("Quibble",)))
    )
    assert value(new["teacher"]) == 1


def test_exact_bounds_with_one_answer_and_a_bootstrap_over_prompts_with_several() -> None:
    several, one = identity_sets(30, 3), identity_sets(30, 1)
    rng = np.random.default_rng(0)
    assert isinstance(findings(IDENTITY, [several], rng)[0].statistic, Smooth)
    assert isinstance(findings(IDENTITY, [one], rng)[0].statistic, Mean)


def test_models_that_differ_are_a_reference_from_four_lineages_on() -> None:
    replies = {
        f"control{k}": [["I am Aster." if i < k else "I am a model." for i in range(30)]] * 2
        for k in range(4)
    }
    said = [["I am Aster."] * 30] * 2
    sides = sets_of(
        "identity_probes",
        {"student": said, "teacher": said, "base": replies["control0"], **replies},
    )
    assert sides.teacher is not None
    found = measured(replace(sides, teacher=replace(sides.teacher, identity=("Aster",))))
    rates = np.array([0, 1, 2, 3]) / 30
    half = 3.182446305284263 * rates.std(ddof=1) * (1 + 1 / 4) ** 0.5  # t(3, .975)
    estimate = found["teacher_vs_controls"]
    assert isinstance(estimate, Estimate)
    assert (estimate.level, estimate.n) == ("models", 4)
    assert estimate.value == pytest.approx(1 - rates.mean(), abs=1e-9)
    assert estimate.low == pytest.approx(1 - rates.mean() - half, abs=1e-9)


def test_nothing_to_say_is_said() -> None:
    with pytest.raises(Unavailable, match="no task that asks who the model is"):
        findings(IDENTITY, [talk_sets()], np.random.default_rng(0))
    empty = [[""] * 20]
    found = measured(sets_of("identity_probes", {"student": empty, "teacher": empty}))
    assert value(found[""]) == 0
    one = sets_of("identity_probes", {"student": [["I am Claude."]], "teacher": [["x"]]}, minimum=1)
    with pytest.raises(Unavailable, match="one prompt only"):
        measured(one)


def test_tables_of_one_s_own(tmp_path: Path) -> None:
    own = Identity(kind="identity", name="identity", names={"Quibble": ("Quibble Works", "quib-7")})
    assert Names(own.rows).claimed("This is QUIB-7 by Quibble Works") == {"Quibble"}
    path = tmp_path / "names.csv"
    path.write_text("name,alias\nQuibble,Quibble\n", encoding="utf-8")
    assert read_names(str(path)) == (("Quibble", "Quibble"),)
    path.write_text("who,what\nQuibble,Quibble\n", encoding="utf-8")
    with pytest.raises(DistillbenchError, match="expected columns name and alias"):
        read_names(str(path))
    path.write_text("name,alias\nQuibble,\n", encoding="utf-8")
    with pytest.raises(DistillbenchError, match="empty cell"):
        read_names(str(path))
    with pytest.raises(DistillbenchError, match=r"got none at nowhere\.csv"):
        read_names("nowhere.csv")


@pytest.mark.parametrize("written", ["GEMİNİ", "GEMINI", "gemını", "Gemini"])
def test_turkish_letters_name_a_model_as_any_others_do(written: str) -> None:
    assert Names((("Gemini", "gemini"),)).claimed(f"Ben {written} adlı bir modelim") == {"Gemini"}


@pytest.mark.parametrize("alias", sorted({alias for _, alias in TABLE.rows}))
def test_every_alias_is_found_beside_another_in_any_case_that_it_allows(alias: str) -> None:
    spellings = [alias, *([alias.upper(), alias.title()] if alias == alias.casefold() else [])]
    name = dict((a, n) for n, a in TABLE.rows)[alias]
    for spelling in spellings:
        assert TABLE.mentioned(f"Zzz. {spelling}. Quince.") >= {name}
