"""Sampling, token columns, batches, digests and bad checkpoints of `hf`."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from harness.models import Ask, _hf_files
from harness.models._hf_bytes import byte_ends
from harness.models._hf_score import rolling_windows
from harness.models._hf_session import HfSession
from harness.models.hf import HfModel
from harness.plugins import build
from harness.types import Decoding, DistillbenchError, Message, Outputs, Paths, Request
from tests.models.tiny import NO_SYSTEM, byte_tokenizer, save_llama

PATHS = Paths(Path("r"), Path("c"))
SAMPLED = Decoding(temperature=0.9, max_new_tokens=16)
PROMPTS = (
    "The miller of Brask",
    "Question: what metal",
    "a",
    "Sieben Zwerge grüßen höflich; naïve",
    "Then serve",
)


def _paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path / "results", tmp_path / "cache", ())


def _model(folder: Path, **changes: object) -> HfModel:
    return build("models", "m", {"kind": "hf", "path": str(folder), "device": "cpu", **changes})  # type: ignore[no-any-return]


@contextmanager
def _session(folder: Path, **changes: object) -> Iterator[HfSession]:
    with _model(folder, **changes).open(PATHS) as session:
        yield session


def _ask(session: HfSession, prompts: tuple[str, ...], decoding: Decoding) -> Outputs:
    requests = [Request(i, "generate", prompt) for i, prompt in enumerate(prompts)]
    return session.answer_batch(requests, [f"id of {p}" for p in prompts], decoding)


@pytest.fixture
def session(llama: Path) -> Iterator[HfSession]:
    with _session(llama) as entered:
        yield entered


def test_a_sampled_text_does_not_depend_on_its_batch(session: HfSession) -> None:
    together = _ask(session, PROMPTS, SAMPLED)
    alone = [_ask(session, (prompt,), SAMPLED).text[0] for prompt in PROMPTS]
    assert list(together.text) == alone
    assert list(_ask(session, PROMPTS[::-1], SAMPLED).text) == alone[::-1]


def test_samples_seeds_and_repeats_are_other_draws(session: HfSession) -> None:
    drawings = [SAMPLED, replace(SAMPLED, sample=1), replace(SAMPLED, seed=1)]
    texts = {_ask(session, PROMPTS, d).text for d in drawings}
    repeated = [
        Request(0, "generate", PROMPTS[0], repeat=r, slot=s) for r in (0, 1) for s in (0, 1)
    ]
    found = session.answer_batch(repeated, ["id"] * 4, SAMPLED)
    assert len(texts) == 3
    assert len(set(found.text)) == 4


def test_two_models_do_not_share_their_luck(tmp_path: Path, llama: Path) -> None:
    """Copies draw alike; a model with nearly the same probabilities but other weights draws its own texts."""
    from safetensors.torch import load_file, save_file

    near = Path(shutil.copytree(llama, tmp_path / "near"))
    weights = load_file(near / "model.safetensors")
    weights["model.norm.weight"] = weights["model.norm.weight"] * (1 + 1e-6)
    save_file(weights, near / "model.safetensors", metadata={"format": "pt"})
    texts = []
    for folder in (llama, Path(shutil.copytree(llama, tmp_path / "copy")), near):
        with _session(folder) as entered:
            texts.append(_ask(entered, PROMPTS, SAMPLED).text)
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


@pytest.mark.parametrize("top_p", [1.0, 0.4])
def test_draws_follow_the_models_probabilities(llama: Path, top_p: float) -> None:
    """First tokens of 3,000 draws against softmax at temperature 2, cut at top_p, computed with transformers."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = (
        AutoTokenizer.from_pretrained(llama),
        AutoModelForCausalLM.from_pretrained(llama),
    )
    with torch.inference_mode():
        logits = model(torch.tensor([tokenizer("The rain").input_ids])).logits[0, -1]
    probability = torch.softmax(logits.double() / 2, 0).numpy()
    order = np.argsort(-probability)
    kept = (
        order[: int(np.searchsorted(np.cumsum(probability[order]), top_p)) + 1]
        if top_p < 1
        else order
    )
    expected = np.zeros(len(probability))
    expected[kept] = probability[kept] / probability[kept].sum()
    requests = [Request(0, "generate", "The rain", max_new_tokens=1)] * 3000
    with _session(llama) as entered:
        decoding = Decoding(temperature=2, top_p=top_p, top_logprobs=1)
        found = entered.answer_batch(requests, [str(i) for i in range(3000)], decoding)
    assert found.tokens is not None
    counts = np.bincount(found.tokens.token_ids, minlength=len(expected))
    assert not counts[expected == 0].any()
    common = expected > 0.01
    error = np.sqrt(expected[common] * (1 - expected[common]) / 3000)
    assert common.sum() >= 5
    assert (np.abs(counts[common] / 3000 - expected[common]) < 4.5 * error).all()


def test_greedy_and_sampled_requests_share_a_batch(session: HfSession) -> None:
    requests = [
        Request(0, "generate", PROMPTS[0], temperature=t, max_new_tokens=12)
        for t in (0.0, 0.9, 0.0)
    ]
    mixed = session.answer_batch(requests, ["id"] * 3, Decoding())
    alone = [session.answer_batch([r], ["id"], Decoding()).text[0] for r in requests]
    assert list(mixed.text) == alone
    assert mixed.text[0] == mixed.text[2] != mixed.text[1]


def test_stops_are_named(session: HfSession) -> None:
    free = _ask(session, PROMPTS, SAMPLED)
    assert {"length", "eos"} >= set(free.stop) >= {"length"}
    assert all(
        n == 16 for n, stop in zip(free.n_tokens, free.stop, strict=True) if stop == "length"
    )
    first = next(t for t in free.text if t)
    until = first[len(first) // 2]
    request = Request(0, "generate", PROMPTS[free.text.index(first)], until=(until,))
    cut = session.answer_batch([request], [f"id of {request.context!s}"], SAMPLED)
    assert cut.stop == ("stop",)
    assert cut.text[0] == first.split(until)[0]
    assert cut.n_tokens[0] < free.n_tokens[free.text.index(first)]


def test_token_columns_of_written_texts_are_those_of_a_forward_pass(llama: Path) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer, model = (
        AutoTokenizer.from_pretrained(llama),
        AutoModelForCausalLM.from_pretrained(llama),
    )
    with _session(llama) as entered:
        found = _ask(entered, PROMPTS, replace(SAMPLED, top_logprobs=3))
    columns = found.tokens
    assert columns is not None
    assert columns.byte_ends is not None
    assert columns.offsets.tolist() == [0, *np.cumsum(found.n_tokens)]
    for row, prompt in enumerate(PROMPTS):
        here = slice(columns.offsets[row], columns.offsets[row + 1])
        start = tokenizer(prompt).input_ids
        with torch.inference_mode():
            logits = model(torch.tensor([start + columns.token_ids[here].tolist()])).logits[
                0, len(start) - 1 : -1
            ]
        expected = torch.log_softmax(logits, -1)
        best = expected.topk(3)
        chosen = expected[torch.arange(len(expected)), columns.token_ids[here]]
        np.testing.assert_allclose(columns.logprobs[here], chosen, atol=2e-5)
        np.testing.assert_allclose(columns.top_logprobs[here], best.values, atol=2e-5)
        assert columns.top_ids[here].tolist() == best.indices.tolist()
        assert columns.byte_ends[here][-1] == len((found.text[row] or "").encode())


def test_token_columns_of_read_texts_sum_to_the_text(session: HfSession) -> None:
    texts = [
        "naïve café, 東京",
        "The miller paints the door red and hums an old tune while it rains. " * 4,
        "",
    ]
    requests = [Request(i, "read", "", continuation=t) for i, t in enumerate(texts[:2])]
    requests.append(Request(2, "score", "Answer: ", continuation="tin"))
    found = session.answer_batch(requests, ["p"] * 3, Decoding(top_logprobs=10_000))
    columns = found.tokens
    assert columns is not None
    assert columns.byte_ends is not None
    sums = [
        columns.logprobs[a:b].sum()
        for a, b in zip(columns.offsets, columns.offsets[1:], strict=False)
    ]
    np.testing.assert_allclose(sums, found.logprob_nats, rtol=1e-6)
    assert columns.top_ids.shape[1] == len(byte_tokenizer())
    np.testing.assert_allclose(np.exp(columns.top_logprobs.astype(float)).sum(1), 1, atol=1e-5)
    lasts = columns.byte_ends[columns.offsets[1:] - 1]
    assert lasts.tolist() == [len(t.encode()) for t in (texts[0], texts[1], " tin")]
    assert len(columns.vocabulary) == 64


def test_bytes_of_tokens() -> None:
    """東 is the three bytes e6 9d b1, two tokens of two and one byte in this vocabulary."""
    tokenizer = byte_tokenizer()
    ids = tokenizer.encode("東a", add_special_tokens=False)
    assert byte_ends(tokenizer, [0, *ids, 1], "東a").tolist() == [0, 2, 3, 4, 4]
    assert byte_ends(tokenizer, ids, "東")[-1] == 3  # cut by a stop string
    assert byte_ends(tokenizer, ids, "not what they spell").max() <= 19


def test_windows_by_hand() -> None:
    windows = rolling_windows([1, 2, 3, 4, 5, 6, 7], 0, 3)
    assert [(w.context, w.target) for w in windows] == [
        ((0,), (1, 2, 3)),
        ((3,), (4, 5, 6)),
        ((4, 5, 6), (7,)),
    ]
    assert rolling_windows([], 0, 3) == []


def test_batches_hold_every_request_once_and_contexts_together(
    session: HfSession, llama: Path
) -> None:
    requests = [
        Request(i, "score", "context " * (i % 7), continuation=c)
        for i in range(40)
        for c in ("a", "b")
    ]
    requests += [Request(i, "generate", "x" * i * 50) for i in range(60)]
    ask = Ask("key", tuple(requests), ("id",) * len(requests), Decoding())
    batches = session.batches(ask)
    assert sorted(i for batch in batches for i in batch) == list(range(len(requests)))
    assert batches == session.batches(ask)
    with _session(llama, batch_size=3) as threes:
        cut = threes.batches(replace(ask, requests=tuple(requests[:7])))
    assert [len(b) for b in cut] == [3, 3, 1]


def test_system_message(llama: Path, tmp_path: Path) -> None:
    asked = (Message("user", "add 3 and 4"),)
    with _session(llama) as entered:
        given = Request(0, "score", (Message("system", "be brief"), *asked), continuation=" 7")
        bare = entered.answer_batch(
            [Request(0, "score", asked, continuation=" 7"), given], ["p"] * 2, Decoding()
        )
    with _session(llama, system="be brief") as entered:
        set_ = entered.answer_batch(
            [Request(0, "score", asked, continuation=" 7"), given], ["p"] * 2, Decoding()
        )
    assert set_.logprob_nats[0] == pytest.approx(bare.logprob_nats[1], rel=1e-6)
    assert set_.logprob_nats[1] == pytest.approx(bare.logprob_nats[1], rel=1e-6)
    assert bare.logprob_nats[0] != pytest.approx(bare.logprob_nats[1], rel=1e-3)
    refusing = save_llama(tmp_path / "refusing", byte_tokenizer(template=NO_SYSTEM))
    with (
        _session(refusing) as entered,
        pytest.raises(DistillbenchError, match=r"no system role.*drop_system"),
    ):
        entered.answer_batch([given], ["p"], Decoding())
    with _session(refusing, drop_system=True) as entered:
        dropped = entered.answer_batch([given], ["p"], Decoding())
    assert dropped.logprob_nats[0] == pytest.approx(bare.logprob_nats[0], rel=1e-6)


def test_a_retrained_checkpoint_has_another_digest(llama: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(llama, tmp_path / "a"))
    paths, first = _paths(tmp_path), _model(folder)
    before = first.key(paths)
    assert (
        before
        == first.key(paths)
        == _model(Path(shutil.copytree(llama, tmp_path / "b"))).key(paths)
    )
    save_llama(folder, byte_tokenizer(), seed=9)
    retrained = first.key(paths)
    (folder / "optimizer.pt").write_bytes(b"x")
    assert before != retrained == first.key(paths)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "extra": 1}))
    assert first.key(paths) != retrained
    others = [
        replace(first, **c) for c in ({"dtype": "float16"}, {"max_length": 8}, {"system": "x"})
    ]
    same = [replace(first, **c) for c in ({"batch_size": 2}, {"threads": 1}, {"name": "n"})]
    assert len({b.key(paths) for b in (first, *others)}) == 4
    assert {b.key(paths) for b in same} == {first.key(paths)}


@pytest.mark.parametrize(
    ("removed", "expected"),
    [
        (["tokenizer.json"], "expected a tokenizer"),
        (["config.json"], "expected config.json"),
        (["model.safetensors"], "expected model.safetensors.*no weights"),
    ],
)
def test_incomplete_folders(llama: Path, tmp_path: Path, removed: list[str], expected: str) -> None:
    folder = Path(shutil.copytree(llama, tmp_path / "m"))
    for name in removed:
        os.remove(folder / name)
    model = _model(folder)
    assert len(model.faults(_paths(tmp_path))) == 1
    with pytest.raises(DistillbenchError, match=expected):
        model.key(_paths(tmp_path))
    with pytest.raises(DistillbenchError, match=expected), _session(folder):
        pass


def test_damaged_weights(llama: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(llama, tmp_path / "m"))
    weights = folder / "model.safetensors"
    whole = weights.read_bytes()
    for damaged, expected in (
        (whole[:-1], f"expected {len(whole)} bytes"),
        (whole[:20], "header"),
        (b"", "header"),
    ):
        weights.write_bytes(damaged)
        assert expected in _model(folder).faults(_paths(tmp_path))[0]
    os.rename(weights, folder / "pytorch_model.bin")
    assert "never opened" in _model(folder).faults(_paths(tmp_path))[0]


def test_weights_that_would_be_random_are_refused(llama: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(llama, tmp_path / "m"))
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    refused = pytest.raises(DistillbenchError, match="got none for 1 of them")
    with refused, _session(folder):
        pass


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "tokenizer_config.json"])
def test_settings_that_are_no_json_are_refused(llama: Path, tmp_path: Path, name: str) -> None:
    """transformers would go on without generation_config.json, and end replies elsewhere."""
    folder = Path(shutil.copytree(llama, tmp_path / "m"))
    (folder / name).write_text((folder / name).read_text()[:-3])
    faults = _model(folder).faults(_paths(tmp_path))
    assert len(faults) == 1
    assert f"{name}: expected JSON, got" in faults[0]


def test_files_that_are_no_folders_are_told_what_they_are(llama: Path, tmp_path: Path) -> None:
    """A GGUF file, alone or in a folder, with the line that converts it; one file of a checkpoint."""
    file = tmp_path / "small.gguf"
    file.write_bytes(b"GGUF")
    folder = Path(shutil.copytree(llama, tmp_path / "m"))
    (folder / "model.safetensors").rename(folder / "model.gguf")
    for path in (file, folder):
        (fault,) = _model(path).faults(_paths(tmp_path))
        code = fault.partition('python -c "')[2].removesuffix('"')
        compile(code, "the line that converts it", "exec")
        assert f"give `path: {tmp_path}" in fault
        assert "\n" not in fault
    (fault,) = _model(llama / "model.safetensors").faults(_paths(tmp_path))
    assert fault.endswith(f"give the folder: {llama}")


def test_weights_of_an_adapter_among_the_models_are_refused(llama: Path, tmp_path: Path) -> None:
    """transformers leaves out what it does not know: the answers would be the base's."""
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(llama, tmp_path / "m"))
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.0.self_attn.q_proj.lora_A.weight"] = torch.ones(2, 32)
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    refused = pytest.raises(
        DistillbenchError, match=r"got those of an adapter among them.*merge it"
    )
    with refused, _session(folder):
        pass


def test_weights_that_are_no_numbers_are_said(llama: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    folder = Path(shutil.copytree(llama, tmp_path / "m"))
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][3] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    for request in (
        Request(0, "generate", "a", max_new_tokens=4),
        Request(0, "score", "a", continuation=" b"),
    ):
        with _session(folder) as session, pytest.raises(DistillbenchError, match="got NaN"):
            session.answer_batch([request], ["p"], Decoding())


def test_missing_folders_and_unknown_repositories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert (
        "expected a checkpoint's folder" in _model(tmp_path / "nothing").faults(_paths(tmp_path))[0]
    )
    hub = pytest.importorskip("huggingface_hub")

    def unreachable(*_: object, **__: object) -> None:
        raise hub.errors.OfflineModeIsEnabled("no way out")

    monkeypatch.setattr(hub.HfApi, "model_info", unreachable)
    _hf_files.hub_commit.cache_clear()
    with pytest.raises(DistillbenchError, match=r"no-such-owner/m: .*no way out.*network"):
        _model(Path("no-such-owner/m")).key(_paths(tmp_path))
    commit = "0123456789abcdef0123456789abcdef01234567"
    assert len(_model(Path("no-such-owner/m"), revision=commit).key(_paths(tmp_path))) == 64


def test_bad_fields(llama: Path) -> None:
    for fields, expected in (
        ({"dtype": "int8"}, "key dtype: expected one of"),
        ({"batch_size": 0}, "key batch_size: expected 1 or more"),
        ({"device": "cuda:77"}, "key device: expected a device"),
        ({"pth": "x"}, "'pth' is unknown; did you mean 'path'"),
    ):
        with pytest.raises(DistillbenchError, match=expected), _session(llama, **fields):
            pass


def test_too_much_is_asked(session: HfSession) -> None:
    with pytest.raises(DistillbenchError, match=r"max_new_tokens of at most 46 \(.* 48\), got 48"):
        session.answer_batch([Request(0, "generate", "a", max_new_tokens=48)], ["p"], Decoding())
    with pytest.raises(DistillbenchError, match="continuation of 1 to 48 tokens"):
        session.answer_batch(
            [Request(0, "score", "a", continuation="東京" * 40)], ["p"], Decoding()
        )
    with pytest.raises(DistillbenchError, match="continuation of 1 to 48 tokens, got 0"):
        session.answer_batch([Request(0, "score", "a", continuation="")], ["p"], Decoding())


def test_chat_without_a_template(tmp_path: Path) -> None:
    folder = save_llama(tmp_path / "m", byte_tokenizer(template=None))
    assert "needs a chat template" in _model(folder, chat=True).faults(_paths(tmp_path))[0]
    assert not _model(folder).faults(_paths(tmp_path))
    with (
        _session(folder) as entered,
        pytest.raises(DistillbenchError, match="expected a chat template"),
    ):
        entered.answer_batch(
            [Request(0, "generate", (Message("user", "a"),), max_new_tokens=2)], ["p"], Decoding()
        )


def test_facts_and_freed_memory(llama: Path) -> None:
    before = torch.get_num_threads()
    with _session(llama, threads=1) as entered:
        facts = entered.facts()
    weights = (llama / "model.safetensors").stat().st_size
    assert facts["device"] == "cpu"
    assert facts["dtype"] == "float32"
    assert weights < int(facts["size_bytes"]) < weights + 200_000
    assert torch.get_num_threads() == before
    assert not hasattr(entered, "_loaded")
