"""A bundle's bytes: every change is seen, whatever file it is in, and nothing leads out of the folder."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.panel.side import Side
from harness.stages import bundle
from harness.stages.bundle import (
    changed_bytes,
    request_lines,
    requests_from_lines,
    side_from_lines,
    side_lines,
)
from harness.testing.sides import acc_grades, quiz_prompts, scored_side, text_side
from harness.types import DistillbenchError, TokenColumns
from tests.verdicts.bundles import copy


def names(folder: Path) -> list[str]:
    """The files that are named as changed, missing or further."""
    return [line.partition(": ")[0] for line in changed_bytes(folder)[1]]


def test_an_untouched_bundle_has_nothing_to_tell(made: Path) -> None:
    digest, lines = changed_bytes(made)
    assert lines == []
    assert digest == bundle.sha256((made / "manifest.json").read_bytes())
    assert all(bundle.stated_digest((made / n).read_bytes()) == digest for n in bundle.DOCUMENTS)


def test_every_one_of_100_changed_bytes_is_found_in_its_file(made: Path, tmp_path: Path) -> None:
    rng, folder = random.Random("bytes"), copy(made, tmp_path / "out")
    files = bundle.files_in(folder)
    for i in range(100):
        name = list(files)[i % len(files)]  # every file, whatever its size
        content = files[name].read_bytes()
        place = rng.randrange(len(content))
        other = bytearray(content)
        other[place] ^= 1 << rng.randrange(8)
        files[name].write_bytes(other)
        assert name in names(folder), f"{name}, byte {place}"
        files[name].write_bytes(content)
    assert names(folder) == []


def test_a_byte_more_or_less_is_found_in_every_file(made: Path, tmp_path: Path) -> None:
    folder = copy(made, tmp_path / "out")
    for i, (name, path) in enumerate(bundle.files_in(folder).items()):
        content = path.read_bytes()
        ways = (content[1:], content[:-1], b" " + content, content + b"\n")
        path.write_bytes(ways[i % len(ways)])
        assert name in names(folder)
        path.write_bytes(content)


def test_missing_further_and_linked_files_are_lines(made: Path, tmp_path: Path) -> None:
    folder = copy(made, tmp_path / "out")
    (folder / "plan.json").unlink()
    (folder / "notes").mkdir()
    (folder / "notes/.hidden").write_text("x")
    case = (folder / "case.json").read_bytes()
    (folder / "case.json").unlink()
    (tmp_path / "elsewhere.json").write_bytes(case)
    (folder / "case.json").symlink_to(tmp_path / "elsewhere.json")
    (folder / "index.html").unlink()
    assert set(changed_bytes(folder)[1]) == {
        "plan.json: missing",
        "notes/.hidden: further: the manifest does not know it",
        "case.json: no plain file",
        "index.html: missing",
    }


def test_a_changed_answer_is_named_with_model_and_prompt(made: Path, tmp_path: Path) -> None:
    folder = copy(made, tmp_path / "out")
    path = next(p for n, p in bundle.files_in(folder).items() if "two-student-1" in n)
    lines = path.read_text().split("\n")
    row = json.loads(lines[3])
    requests = next(iter(bundle.files_in(folder / "requests").values()))
    asked = requests_from_lines(requests.read_bytes())
    prompt = asked.prompts[asked.requests[row["request"]].prompt].id
    lines[3] = json.dumps({**row, "text": row["text"] + " indeed"})
    path.write_text("\n".join(lines))
    (line,) = changed_bytes(folder)[1]
    assert line.endswith(f"line 4, prompt {prompt} of the answers of two-student-1")


def test_a_document_may_not_state_another_digest(made: Path, tmp_path: Path) -> None:
    folder = copy(made, tmp_path / "out")
    path = folder / "exhibit.md"
    path.write_bytes(bundle.with_digest(path.read_bytes(), "a" * 64))
    assert changed_bytes(folder)[1] == [
        "exhibit.md: changed: it states another digest of manifest.json"
    ]


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../../x", "a//b", "", ".", "a/.", "a\\..\\b", "a\n"]
)
def test_no_name_leads_out_of_a_bundle(made: Path, name: str) -> None:
    with pytest.raises(ValueError, match=re.escape("leads out of the bundle")):
        bundle.read_file(made, name)


def test_folders_without_a_bundle_are_one_line(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(DistillbenchError, match=r"expected a bundle.*no manifest\.json"):
            changed_bytes(folder)
    (tmp_path / "manifest.json").write_text("[]")
    with pytest.raises(DistillbenchError, match="expected the manifest of a bundle"):
        changed_bytes(tmp_path)
    (tmp_path / "manifest.json").rename(tmp_path / "moved.json")
    (tmp_path / "manifest.json").symlink_to(tmp_path / "moved.json")
    with pytest.raises(DistillbenchError, match="expected a plain file"):
        changed_bytes(tmp_path)
    (tmp_path / "manifest.json").unlink()
    later = '{"form": 2}'
    (tmp_path / "manifest.json").write_text(later)
    (tmp_path / "exhibit.md").write_text(f"Digest: {bundle.sha256(later.encode())}\n")
    with pytest.raises(DistillbenchError, match="form 2; this distillbench reads form 1"):
        changed_bytes(tmp_path)


@pytest.mark.parametrize(
    "break_it", [lambda b: b[1:], lambda b: b"{}", lambda b: b"\xff" + b, lambda b: b'{"form": 2}']
)
def test_a_manifest_that_cannot_be_read_is_named(
    made: Path, tmp_path: Path, break_it: Callable[[bytes], bytes]
) -> None:
    path = copy(made, tmp_path / "out") / "manifest.json"
    path.write_bytes(break_it(path.read_bytes()))
    assert changed_bytes(path.parent)[1] == ["manifest.json: changed: it cannot be read"]


def sides() -> list[Side]:
    """Models of every kind of answer: texts, several samples, grades, log-probabilities, tokens, an empty row."""
    talk = text_side("say", ["one  two", "th\u2028ree\n", "", "ünï\x00\U0001f600"], "talk")
    quiz = quiz_prompts(4)
    scored = scored_side(
        "quiz", quiz, [[-1.0, float("-inf"), -0.1, -3.5, -2.0][: p.n_options] for p in quiz]
    )
    n = len(talk.outputs.request)
    tokens = TokenColumns(
        offsets=np.arange(n + 1) * 2,
        token_ids=np.arange(2 * n),
        logprobs=np.linspace(-1, -0.1, 2 * n, dtype=np.float32),
        top_ids=np.arange(4 * n, dtype=np.int32).reshape(-1, 2),
        top_logprobs=np.linspace(-3, -0.1, 4 * n, dtype=np.float32).reshape(-1, 2),
        vocabulary="some",
        names={0: "a", 1: "b"},
    )
    cut = replace(talk.outputs, n_cut=np.array([0, 3, 0, 0]))
    grades = acc_grades(talk.requests.prompts, [True, False, True, False])
    return [
        talk,
        scored,
        replace(talk, outputs=replace(talk.outputs, tokens=tokens), identity=("Me",)),
        replace(talk, samples=(cut, talk.outputs), grades=grades, sample_grades=(grades,)),
        replace(talk, samples=(talk.outputs,), sample_grades=(grades,)),
    ]


@pytest.mark.parametrize(
    "side", sides(), ids=["texts", "scores", "tokens", "samples", "later grades"]
)
def test_answers_of_every_kind_come_back_as_they_were(side: Side) -> None:
    asked = requests_from_lines(request_lines(side.requests))
    assert asked == side.requests
    content = side_lines(side, "requests/r.jsonl")
    back = side_from_lines(content, {"requests/r.jsonl": asked})
    assert side_lines(back, "requests/r.jsonl") == content
    assert back.outputs.text == side.outputs.text
    np.testing.assert_array_equal(back.outputs.logprob_nats, side.outputs.logprob_nats)
    assert (back.grades is None, len(back.samples), len(back.sample_grades)) == (
        side.grades is None,
        len(side.samples),
        len(side.sample_grades),
    )
    assert (back.model, back.lineage, back.keys, back.identity) == (
        side.model,
        side.lineage,
        side.keys,
        side.identity,
    )
    assert len(bundle.prompts_of_lines(side)) == len(bundle.line_digests(content))
    if side.outputs.tokens is not None and back.outputs.tokens is not None:
        assert back.outputs.tokens.names == {0: "a", 1: "b"}
        np.testing.assert_array_equal(back.outputs.tokens.logprobs, side.outputs.tokens.logprobs)


def test_names_of_files_are_safe_whatever_models_are_called() -> None:
    for name in ("../../etc", "a/b:c", "CON", "ü" * 300, ".hidden", "", "-rf"):
        assert re.fullmatch(r"[A-Za-z0-9_.-]*", bundle.slug(name))
        assert bundle._NAME.fullmatch(
            f"answers/01-{bundle.slug('t')}/001-{bundle.slug(name)}.jsonl"
        )
