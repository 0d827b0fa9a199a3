"""lm-eval's logged samples, written by lm-eval's own code, are found again by context and continuation."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from harness.models import Ask
from harness.models.recorded import RecordedModel
from harness.plugins import build
from harness.text.clean import TRACES, clean
from harness.types import Decoding, DistillbenchError, Message, Outputs, Paths, Request
from tests.models.asking import answered


class JsonChat(NamedTuple):
    """What lm-eval's API models hold as the context of a conversation."""

    prompt: str


def sample(
    doc_id: int, arguments: list[tuple[Any, ...]], resps: list[list[Any]], **more: Any
) -> dict[str, Any]:
    """A logged sample as lm-eval's evaluator makes it, before it is written."""
    return {
        "doc_id": doc_id,
        "doc": {"question": "q"},
        "target": 0,
        "arguments": arguments,
        "resps": resps,
        "filtered_resps": [r[0] for r in resps],
        "filter": "none",
        "metrics": ["acc"],
        "acc": 1.0,
        **more,
    }


def written(folder: Path, **samples: list[dict[str, Any]]) -> RecordedModel:
    """A recorded model over the files that lm-eval writes for these samples."""
    tracker_module = pytest.importorskip("lm_eval.loggers.evaluation_tracker")
    tracker = tracker_module.EvaluationTracker(output_path=str(folder))
    tracker.general_config_tracker.model_name_sanitized = "some__model"
    tracker.date_id = "2026-01-02T03-04-05.678901"
    for task, rows in samples.items():
        tracker.save_results_samples(task_name=task, samples=rows)
    assert len(list(folder.rglob("samples_*.jsonl"))) == len(samples)
    model = build("models", "m", {"kind": "recorded", "file": "some__model"})
    assert isinstance(model, RecordedModel)
    return model


def answers(folder: Path, model: RecordedModel, requests: list[Request], draw: int = 0) -> Outputs:
    paths = Paths(folder, folder, (), folder)
    assert model.faults(paths) == []
    with model.open(paths) as session:
        return answered(session, requests, Decoding(sample=draw))


def chosen(
    context: str, *slots: tuple[str, float, bool]
) -> tuple[list[tuple[Any, ...]], list[list[Any]]]:
    return [(context, text) for text, _, _ in slots], [
        [(nats, greedy)] for _, nats, greedy in slots
    ]


def test_log_probabilities_are_found_per_slot(tmp_path: Path) -> None:
    mutual = [(" 1", -4.0, False), (" 2", -5.5, False)]
    first = chosen("Q: 1+1\nA:", (" 1", -2.25, False), (" 2", -0.5, True))
    bare = chosen("", *mutual)
    rows = [
        sample(0, first[0] + bare[0], first[1] + bare[1]),
        sample(1, *chosen("Q: 2-1\nA:", (" 1", -0.125, True))),
    ]
    model = written(tmp_path, arc=rows)
    requests = [
        Request(0, "score", "Q: 1+1\nA:", slot=s, continuation=c)
        for s, c in enumerate([" 2", " 1", " 3"])
    ]
    found = answers(
        tmp_path, model, [*requests, Request(0, "score", "", slot=3, continuation=" 2")]
    )
    assert found.logprob_nats[:2].tolist() == [-0.5, -2.25]
    assert math.isnan(found.logprob_nats[2])
    assert found.logprob_nats[3] == -5.5
    assert found.greedy == (True, False, None, False)
    assert found.answered == (True, True, False, True)
    assert found.text == (None,) * 4
    with model.open(Paths(tmp_path, tmp_path, (), tmp_path)) as session:
        assert session.facts() == {"format": "lm_eval_samples", "recorded_answers": 5}


def test_texts_are_found_with_their_repeats_once_per_filter(tmp_path: Path) -> None:
    settings = {"until": ["\n"], "do_sample": True}
    rows = [sample(0, [("Q:", settings)], [["one", "two"]], filter=f) for f in ("strict", "loose")]
    model = written(tmp_path, gen=rows)
    requests = [Request(0, "generate", "Q:", repeat=r) for r in range(3)]
    assert answers(tmp_path, model, requests).text == ("one", "two", None)
    assert answers(tmp_path, model, requests[:1], draw=1).text == ("two",)


def test_rolling_texts_are_found_whole(tmp_path: Path) -> None:
    model = written(tmp_path, roll=[sample(0, [("Some text.",)], [[-12.5]])])
    found = answers(tmp_path, model, [Request(0, "read", "", continuation="Some text.")])
    assert found.logprob_nats.tolist() == [-12.5]


def test_texts_behind_plain_prompts_are_read_from_scores(tmp_path: Path) -> None:
    """lm-eval moves white space as we do; in chat it counts the template's end as text, so its score is another."""
    model = written(tmp_path, one=[sample(0, *chosen("Name a metal: ", ("tin", -2.5, True)))])
    asked = Request(0, "read", "Name a metal: ", continuation="tin")
    assert answers(tmp_path, model, [asked]).logprob_nats.tolist() == [-2.5]
    talk = Request(0, "read", (Message("user", "Name a metal: "),), continuation="tin")
    with pytest.raises(DistillbenchError, match="holds answers to score requests, none to read"):
        answers(tmp_path, model, [talk])


@pytest.mark.parametrize("wrap", [JsonChat, str])
def test_conversations_are_found_by_their_messages(tmp_path: Path, wrap: Any) -> None:
    turns = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "1+1?"},
        {"role": "assistant", "content": "2"},
        {"role": "user", "content": "2+2?"},
    ]
    rows = [
        sample(0, [(wrap(json.dumps(turns)), {"until": []})], [["4"]]),
        sample(1, [(wrap(json.dumps([turns[0], turns[3]])), {"until": []})], [["four"]]),
    ]
    model = written(tmp_path, gen=rows)
    shots = tuple(Message(t["role"], t["content"]) for t in turns)
    found = answers(
        tmp_path,
        model,
        [Request(0, "generate", shots), Request(1, "generate", (shots[0], shots[3]))],
    )
    assert found.text == ("4", "four")
    with pytest.raises(DistillbenchError, match="with the system message 'Be brief"):
        answers(tmp_path, model, [Request(0, "generate", shots[1:])])


@pytest.mark.parametrize(("opening", "closing"), TRACES)
def test_a_thought_that_the_prompt_opens_and_nothing_closes_was_cut(
    tmp_path: Path, opening: str, closing: str
) -> None:
    texts = ("Hm, 7 or", f"Hm.\n{closing}\n\nSeven.", "Seven.")
    prompts = [f"<|user|>\nadd 3 and {i}\n<|assistant|>\n{opening}\n" for i in range(2)]
    prompts.append("<|user|>\nadd 3 and 2\n<|assistant|>\n")
    rows = [sample(i, [(p, {})], [[texts[i]]]) for i, p in enumerate(prompts)]
    model = written(tmp_path, t=rows)
    found = answers(tmp_path, model, [Request(i, "generate", p) for i, p in enumerate(prompts)])
    cut, whole, plain = (clean(text or "") for text in found.text)
    assert (cut.text, cut.trace, cut.is_open) == ("", "Hm, 7 or", True)
    assert (whole.text, whole.trace, whole.is_open) == ("Seven.", "Hm.", False)
    assert plain == ("Seven.", "", (), False)
    requests = tuple(Request(i, "generate", p) for i, p in enumerate(prompts))
    with model.open(Paths(tmp_path, tmp_path, (), tmp_path)) as session:
        said = session.notes(Ask("", requests, ("0", "1", "2"), Decoding()))
    assert [n for n in said if n.startswith("1 of the answers do not close the thought")]


def test_files_of_several_tasks_answer_together(tmp_path: Path) -> None:
    model = written(
        tmp_path,
        one=[sample(0, *chosen("a", ("b", -1.0, True)))],
        two=[sample(0, *chosen("c", ("d", -2.0, False)))],
    )
    requests = [
        Request(0, "score", "c", continuation="d"),
        Request(1, "score", "a", continuation="b"),
    ]
    assert answers(tmp_path, model, requests).logprob_nats.tolist() == [-2.0, -1.0]


def test_the_noise_of_batches_is_no_contradiction_but_another_number_is(tmp_path: Path) -> None:
    near = [sample(i, *chosen("a", ("b", nats, True))) for i, nats in enumerate([-10.0, -10.01])]
    assert answers(tmp_path / "near", written(tmp_path / "near", t=near), [
        Request(0, "score", "a", continuation="b")
    ]).logprob_nats.tolist() == [-10.0]  # fmt: skip
    far = [sample(i, *chosen("a", ("b", nats, True))) for i, nats in enumerate([-10.0, -11.0])]
    (line,) = written(tmp_path / "far", t=far).faults(
        Paths(tmp_path, tmp_path, (), tmp_path / "far")
    )
    assert "row 1 and" in line


@pytest.mark.parametrize("nats", [math.nan, math.inf])
def test_log_probabilities_that_are_no_numbers_are_a_fault(tmp_path: Path, nats: float) -> None:
    model = written(tmp_path, t=[sample(0, *chosen("a", ("b", nats, True)))])
    (line,) = model.faults(Paths(tmp_path, tmp_path, (), tmp_path))
    assert "row 1: expected a log-probability" in line
