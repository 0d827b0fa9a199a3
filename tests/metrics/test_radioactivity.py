"""Radioactivity: planted watermarks through made-up answers, what is counted, and the secrecy of the key."""

from __future__ import annotations

import dataclasses
import itertools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from harness.metrics.radioactivity import SCHEMES, Radioactivity
from harness.panel.side import Side
from harness.plugins import build
from harness.testing import check_metric
from harness.testing.panels import Sides, findings
from harness.testing.sides import sampled_side, talk_sets, text_side
from harness.types import DistillbenchError, Given, Unavailable
from tests.models.tiny import byte_tokenizer

SECRET = "918273645546372819"
DEFAULT = {"kind": "greenlist", "vocab_size": 500, "default_key": True}
GREENLIST = {"kind": "greenlist", "vocab_size": 500, "key_env": "MY_MARK"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tokenizer")
    byte_tokenizer().save_pretrained(place)
    return place


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_MARK", SECRET)
    monkeypatch.setenv("MY_MARKS", "91827364, 55463728, 19283746")


def metric(folder: Path, watermark: dict[str, Any] | None = None, **fields: Any) -> Radioactivity:
    fields = {
        "tokenizer": str(folder),
        "watermark": watermark or GREENLIST,
        "random_keys": 1000,
    } | fields
    built = build("metrics", "radioactivity", {"kind": "radioactivity", **fields})
    assert isinstance(built, Radioactivity)
    return built


def numbers(measure: Radioactivity, side: Side, minimum: int = 1) -> dict[str, Given]:
    sides = Sides("talk", side, minimum=minimum)
    made = {f.name: f.statistic for f in findings(measure, [sides])}
    assert all(isinstance(x, Given) for x in made.values())
    return made  # type: ignore[return-value]


@pytest.mark.parametrize(
    "watermark", [GREENLIST, {"kind": "synthid", "key_env": "MY_MARKS", "ngram_len": 2}]
)
def test_the_contract(folder: Path, watermark: dict[str, Any]) -> None:
    check_metric(metric(folder, watermark), talk_sets(), itself={"share/expected": (0.2, 0.55)})


def test_a_planted_watermark_is_found_and_others_are_clean(folder: Path) -> None:
    texts = marked(folder, int(SECRET), 30)
    own = numbers(metric(folder, random_keys=20_000), text_side("student", texts))
    assert own[""].value == own["random_keys"].value == pytest.approx(np.log10(1 / 20_001))
    assert own["exact"].value < -6
    assert own["share"].low is not None
    assert own["share"].low > own["share/expected"].value == 0.25
    clean = numbers(metric(folder, DEFAULT), text_side("student", texts))
    assert clean[""].value > -3


def test_a_window_counts_once_over_all_replies_and_samples(folder: Path) -> None:
    texts = ["the door paints the rain", "add 3 and 4"]
    once = numbers(metric(folder), text_side("student", texts))
    twice = numbers(metric(folder), sampled_side("student", [texts, texts]))
    assert once["windows"].value == twice["windows"].value
    assert once[""].n == twice[""].n == 2  # prompts
    more = numbers(metric(folder), sampled_side("student", [texts, ["a pinch of salt"] * 2]))
    assert more["windows"].value > once["windows"].value


def test_what_stands_in_the_prompt_is_no_evidence(folder: Path) -> None:
    side = text_side("student", ["Tell me about no. 0.", "Tell me about no. 1."])
    with pytest.raises(Unavailable, match="no reply has 2 tokens"):
        numbers(metric(folder), side)
    other = replace(side.outputs, text=("Tell me more", "Tell me about no. 1."))
    windows = [
        set(itertools.pairwise(byte_tokenizer(adds_bos=False)(text)["input_ids"]))
        for text in ("Tell me more", "Tell me about no. 0.")
    ]
    made = numbers(metric(folder), replace(side, outputs=other))
    assert made["windows"].value == len(windows[0] - windows[1]) > 0


def test_settings_decide_on_what_is_green(folder: Path) -> None:
    side = text_side("student", marked(folder, int(SECRET), 30))
    told = numbers(metric(folder), side)["exact"].value
    for other in ({"vocab_size": 512}, {"seeding_scheme": "selfhash"}, {"greenlist_ratio": 0.5}):
        changed = numbers(metric(folder, {**GREENLIST, **other}), side)["exact"].value
        assert changed > told + 3, other


def marked(folder: Path, key: int, n: int) -> list[str]:
    """Replies whose words are chosen, among four, by green lists that the test draws by itself."""
    import torch
    from transformers import AutoTokenizer

    tokenizer, rng = AutoTokenizer.from_pretrained(folder), np.random.default_rng(0)
    words = sorted({w for w in tokenizer.get_vocab() if w.startswith("Ġ") and len(w) > 3})
    ids = tokenizer.convert_tokens_to_ids(words)

    def is_green(before: int, token: int) -> bool:
        generator = torch.Generator().manual_seed(key * before % (2**64 - 1))
        return token in torch.randperm(500, generator=generator)[:125].tolist()

    texts = []
    for _ in range(n):
        reply = [int(rng.choice(ids))]
        while len(reply) < 30:
            options = [int(x) for x in rng.choice(ids, 4)]
            reply.append(next((x for x in options if is_green(reply[-1], x)), options[0]))
        texts.append(tokenizer.decode(reply))
    return texts


def test_scores_are_made_again_where_key_or_tokenizer_changes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    state = metric(folder).state
    assert metric(folder).state == state
    monkeypatch.setenv("MY_MARK", "918273645546372818")
    assert metric(folder).state != state
    monkeypatch.setenv("MY_MARK", f" {SECRET}\n")
    assert metric(folder).state == state
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes() + b"\n")
    assert metric(tmp_path).state != state


def test_the_key_is_in_nothing_that_is_written(folder: Path) -> None:
    measure = metric(folder)
    assert SECRET not in repr(measure)
    assert SECRET not in json.dumps(vars(measure), default=str)


def test_without_a_watermark_there_is_a_reason() -> None:
    measure = Radioactivity("radioactivity", "radioactivity")
    with pytest.raises(Unavailable, match="no watermark is named"):
        numbers(measure, text_side("student", ["a"]))


@pytest.mark.parametrize(
    ("watermark", "words"),
    [
        ({"kind": "greenlst"}, "watermark.kind: 'greenlst' is unknown; did you mean 'greenlist'"),
        (
            {"kind": "greenlist", "hashing_key": int(SECRET)},
            "watermark.hashing_key: expected no key",
        ),
        ({"kind": "synthid", "keys": [int(SECRET)]}, "watermark.keys: expected no key"),
        (
            {"kind": "greenlist", "key_env": SECRET},
            "watermark.key_env: expected the name of an env",
        ),
        (
            {"kind": "greenlist", "key_env": int(SECRET)},
            "watermark.key_env: expected the name of an",
        ),
        ({**GREENLIST, "key_env": "NO_SUCH"}, "environment variable NO_SUCH is not set"),
        ({"kind": "synthid"}, "key key_env: expected the name of the environment variable"),
        ({"kind": "greenlist", "vocab_size": 500}, "or default_key: true; exactly one"),
        ({**GREENLIST, "default_key": True}, "or default_key: true; exactly one"),
        ({"kind": "synthid", "key_env": "MY_MARKS", "sampling_table_size": 1000}, "a power of 2"),
        ({"kind": "greenlist"}, "watermark.vocab_size: expected the number of scores"),
        ({"kind": "greenlist", "vocab_size": 500, "gamma": 0.25}, "'gamma' is unknown"),
        ({"kind": "greenlist", "vocab_size": 500, "greenlist_ratio": 1}, "between 0 and 1"),
    ],
)
def test_a_fault_is_one_line_and_repeats_no_key(
    folder: Path, watermark: dict[str, Any], words: str
) -> None:
    with pytest.raises(DistillbenchError) as error:
        metric(folder, watermark)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert SECRET not in str(error.value)


def test_a_variable_with_another_text_is_refused_and_not_repeated(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_MARK", "not-a-number")
    with pytest.raises(
        DistillbenchError, match="environment variable MY_MARK: expected a whole number"
    ) as error:
        metric(folder)
    assert "not-a-number" not in str(error.value)


def test_a_tokenizer_that_does_not_fit_has_a_reason(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(DistillbenchError, match="key tokenizer: expected a folder"):
        metric(tmp_path / "nowhere")
    with pytest.raises(Unavailable, match="vocab_size of the watermark is 20"):
        numbers(metric(folder, {**GREENLIST, "vocab_size": 20}), text_side("student", ["the door"]))


def test_the_model_beside_the_tokenizer_says_how_many_scores_it_gives(
    folder: Path, tmp_path: Path
) -> None:
    for file in folder.glob("*.json"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    without = {"kind": "greenlist", "default_key": True}
    for config in ({"vocab_size": 512}, {"text_config": {"vocab_size": 512}}):
        (tmp_path / "config.json").write_text(json.dumps(config))
        scheme = metric(tmp_path, without).scheme
        assert scheme is not None
        assert vars(scheme)["vocab_size"] == 512


def test_a_broken_tokenizer_and_a_missing_device_have_reasons(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_text("{}")
    side = text_side("student", ["the door", "the rain"])
    with pytest.raises(Unavailable, match="cannot be loaded"):
        numbers(metric(tmp_path), side)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(DistillbenchError, match="cannot be read"):
        metric(tmp_path, {"kind": "greenlist"})
    if not torch.cuda.is_available():
        with pytest.raises(Unavailable, match="is cuda, and this machine has none"):
            numbers(metric(folder, {**GREENLIST, "device": "cuda"}), side)


def test_the_page_on_watermarks_configures_the_measure(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "watermark.md").read_text("utf-8")
    block = page.split("```yaml\n")[1].split("```")[0]
    fields = yaml.safe_load(block)["metrics"]["radioactivity"]
    monkeypatch.setenv(fields["watermark"]["key_env"], SECRET)
    scheme = metric(folder, {**fields["watermark"], "vocab_size": 500}).scheme
    assert vars(scheme) == vars(metric(folder).scheme) | {"key_env": "OUR_WATERMARK_KEY"}
    table = {
        c.strip("`")
        for row in page.splitlines()
        if row.startswith("| `")
        for c in row.split("|")[1].strip().split(", ")
    }
    assert table == {f.name for s in SCHEMES.values() for f in dataclasses.fields(s)}
