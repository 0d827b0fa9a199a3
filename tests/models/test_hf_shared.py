"""What inputs share is computed once, and no number changes: trees by hand, against lm-eval, and from a cold start."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.models import Answered, Ask
from harness.models._batches import shared_batches
from harness.models._hf_session import HfSession
from harness.models._hf_shared import Shared, _alike
from harness.models._hf_tree import Pack, Row, layout, packs
from harness.models.hf import HfModel
from harness.types import Decoding, DistillbenchError, Outputs, Paths, Request
from tests.models import architectures

WORDS = (
    "tin",
    " Ωmega",
    "the mill",
    " red door",
    "silver ",
    "\n",
    "naïve",
    "東京",
    "add 3",
    "!",
    " ",
)
QUICK = ("llama", "gpt2")
REST = tuple(name for name in architectures.ARCHITECTURES if name not in QUICK)
SORTS = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in REST)]


def rows(*texts: str) -> list[Row]:
    """Inputs of letters, of which the last is scored."""
    return [Row(tuple(map(ord, text)), len(text) - 1) for text in texts]


def spelled(pack: Pack) -> list[str]:
    return ["".join(map(chr, row.ids)) for row in pack.rows]


def random_rows(rng: np.random.Generator) -> list[Row]:
    """Inputs of a small alphabet, many of which begin alike."""
    starts = [tuple(rng.integers(0, 2, n)) for n in (0, 20, 45)]
    made = {
        (*starts[rng.integers(3)], *(int(i) for i in rng.integers(0, 2, rng.integers(1, 12))))
        for _ in range(40)
    }
    return [Row(ids, int(rng.integers(0, len(ids)))) for ids in sorted(made)]


def requests(n_questions: int = 5) -> list[Request]:
    """Questions behind the same examples, and some behind none, with options and boundaries of all sorts."""
    rng = np.random.default_rng(3)

    def text(n: int) -> str:
        return "".join(rng.choice(WORDS, n))

    examples = "The mill\n" + text(14)
    contexts = [examples + text(3) for _ in range(n_questions)] + [text(2), "a ", "x", "", "The"]
    options = ("a", " b", " tin and silver", "\n", "Ω")
    return [
        Request(i, "score", context, slot=slot, continuation=option)
        for i, context in enumerate(contexts)
        for slot, option in enumerate(options[: 2 + i % 4])
    ]


@contextmanager
def opened(folder: Path, budget: int = 40) -> Iterator[HfSession]:
    """A session whose passes are short, so that few requests need several."""
    with HfModel(kind="hf", name="m", path=str(folder), device="cpu").open(
        Paths(folder, folder)
    ) as session:
        session._shared._budget = budget
        yield session


def answered(session: HfSession, asked: list[Request]) -> Outputs:
    return session.answer_batch(asked, ["p"] * len(asked), Decoding())


@contextmanager
def counted(session: HfSession) -> Iterator[list[int]]:
    """Inside, the numbers of token ids of the model's forward passes are taken down."""
    sizes: list[int] = []

    def note(module: object, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        sizes.append(int((options["input_ids"] if "input_ids" in options else args[0]).numel()))

    handle = session._loaded.model.register_forward_pre_hook(note, with_kwargs=True)
    yield sizes
    handle.remove()


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return architectures.save(tmp_path_factory.mktemp("shared"), "llama")


def test_a_tree_by_hand() -> None:
    """Two options of one question, a second question, and one that has nothing in common with them."""
    block = "e" * 20
    asked = rows(f"{block}Xab", f"{block}Xac", f"{block}Yd", "zz")
    whole = list(packs(asked, 100))
    assert [(p.n_shared, spelled(p)) for p in whole] == [
        (0, spelled(Pack(0, tuple(sorted(asked)))))
    ]
    cut = list(packs(asked, 6))
    assert [(p.n_shared, [t[20:] for t in spelled(p)]) for p in cut] == [
        (20, ["Xab", "Xac", "Yd"]),
        (0, [""]),
    ]
    plan = layout(cut[0])
    assert [chr(i) for i in plan.ids] == ["X", "a", "b", "c", "Y", "d"]
    assert plan.positions.tolist() == [20, 21, 22, 22, 20, 21]
    assert [path.tolist() for path in plan.paths] == [[0, 1, 2], [0, 1, 3], [4, 5]]
    assert plan.visible[:, :20].all()
    assert plan.visible[:, 20:].astype(int).tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 1, 1],
    ]


def test_what_is_scored_is_never_shared() -> None:
    """The first place of one of the rows lies inside what all of them begin with."""
    asked = [Row(tuple(range(40)), 17), Row((*range(30), 7, *range(30)), 39)]
    assert [p.n_shared for p in packs(asked, 20)] == [17, 17]


def test_a_row_that_is_much_longer_than_a_pass_shares_nothing() -> None:
    """Five passes long behind what it shares with two others: they share it, it is read alone."""
    block = "e" * 20
    asked = rows(f"{block}Xab", f"{block}Y" + "z" * 29, f"{block}Zd")
    assert [(p.n_shared, len(p.rows)) for p in packs(asked, 6)] == [(20, 1), (0, 1), (20, 1)]


@pytest.mark.parametrize("seed", range(20))
def test_every_tree_holds_every_row_once(seed: int) -> None:
    rng = np.random.default_rng(seed)
    asked, budget = random_rows(rng), int(rng.integers(4, 60))
    cut = list(packs(asked, budget))
    assert sorted(row for pack in cut for row in pack.rows) == sorted(asked)
    assert cut == list(packs(asked[::-1], budget))
    for pack in cut:
        plan = layout(pack)
        assert len(plan.ids) <= budget or len(pack.rows) == 1
        for row, path in zip(pack.rows, plan.paths, strict=True):
            assert row.ids == (*pack.shared, *plan.ids[path].tolist())
            assert pack.n_shared <= row.first or pack.n_shared == 0
            assert plan.positions[path].tolist() == list(range(pack.n_shared, len(row.ids)))
            for depth, place in enumerate(path):  # a token sees its own path alone
                seen = np.flatnonzero(plan.visible[place, pack.n_shared :])
                assert seen.tolist() == sorted(path[: depth + 1].tolist())


@pytest.mark.parametrize("name", SORTS)
def test_every_architecture_scores_as_lm_eval_does(name: str, tmp_path: Path) -> None:
    """Random tasks with awkward tokens, contexts that are cut among them; and nothing is shared that must not be."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    folder = architectures.save(tmp_path, name)
    asked = requests()
    if name != "bloom":  # its length is not limited: lm-eval takes 2048
        asked.append(Request(90, "score", "The miller hums. " * 30, continuation=" tin"))
    reference = HFLM(pretrained=str(folder), device="cpu", dtype="float32", batch_size=1)
    pairs = [
        Instance(request_type="loglikelihood", doc={}, idx=i, arguments=(r.context, r.continuation))
        for i, r in enumerate(asked)
    ]
    expected = reference.loglikelihood(pairs, disable_tqdm=True)
    with opened(folder) as session:
        assert session._shared.longest == architectures.ARCHITECTURES[name][2]
        with counted(session) as sizes:
            outputs = answered(session, asked)
    np.testing.assert_allclose(
        outputs.logprob_nats, [value for value, _ in expected], rtol=3e-6, atol=2e-6
    )
    assert list(outputs.greedy) == [greedy for _, greedy in expected]
    alone = sum(len(reference.tok_encode(str(r.context) + r.continuation)) for r in asked)
    assert (sum(sizes) < alone / 2) == (architectures.ARCHITECTURES[name][2] > 24)


def test_a_cold_start_changes_no_float(llama: Path) -> None:
    """Batches in any order, from sessions of their own or from one that has answered others, are the same bytes."""
    asked = tuple(requests(9))
    ask = Ask("k", asked, ("p",) * len(asked), Decoding(top_logprobs=2))
    cut = shared_batches(asked, range(len(asked)), 6, 0)
    assert len(cut) > 4

    def nats(session: HfSession, batches: list[list[int]]) -> dict[tuple[int, ...], bytes]:
        missing = tuple(tuple(batch) for batch in batches)
        events = list(session.answer([replace(ask, missing=missing)]))
        outputs = [event.outputs for event in events if isinstance(event, Answered)]
        assert len(outputs) == len(batches)
        return {tuple(o.request.tolist()): o.logprob_nats.tobytes() for o in outputs}

    with opened(llama) as session:
        warm = nats(session, cut)
    with opened(llama) as session:
        assert nats(session, cut[::-1]) == warm
    for batch in cut[1:3]:
        with opened(llama) as session:
            assert nats(session, [batch]).items() <= warm.items()


def test_prefixes_are_the_same_bytes_whoever_asked_first(llama: Path) -> None:
    """A prefix that continues another one, shorter or longer than whole pieces, and one that was forgotten."""
    ids = tuple(int(i) for i in np.random.default_rng(0).integers(2, 400, 90))
    with opened(llama) as session, pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.models._hf_shared._PIECE", 16)
        wanted = [ids[:20], ids[:90], ids[:50], ids[:32], (*ids[:40], 5, 6)]

        def computed(shared: Shared, prefix: tuple[int, ...]) -> bytes:
            return b"".join(p.numpy().tobytes() for pair in shared._prefix(prefix) for p in pair)

        alone = [computed(Shared(session._loaded), prefix) for prefix in wanted]
        shared = Shared(session._loaded)
        assert [computed(shared, prefix) for prefix in wanted] == alone
        with counted(session) as sizes:
            computed(shared, wanted[-1])
            assert sizes == []
            shared._most_stored = 0
            computed(shared, (*ids[:32], 9))
            assert sizes == [1]
            assert len(shared._prefixes) == 1


@pytest.mark.parametrize(("budget", "passes"), [(100, 1), (30, 2)])
def test_each_shared_part_is_computed_once(llama: Path, budget: int, passes: int) -> None:
    """As many tokens reach the model as the tree of all inputs has, in one pass and in several."""
    asked = [
        Request(i, "score", "The miller hums. " * 6 + f"{i}?", continuation=option)
        for i in range(4)
        for option in (" tin", " silver", " a little silver")
    ]
    with opened(llama, budget) as session:
        pairs = [session._contexts.pair(request) for request in asked]
        inputs = [(*context, *target)[:-1] for context, target, _ in pairs]
        assert session._shared.longest == 96
        with counted(session) as sizes:
            answered(session, asked)
    assert sum(sizes) == len({ids[:n] for ids in inputs for n in range(1, len(ids) + 1)})
    assert len(sizes) == passes


def test_too_little_memory_for_a_tree_reads_its_rows_alone(
    llama: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    asked = requests()
    with opened(llama) as session:
        expected = answered(session, asked)

        def full(*args: object) -> None:
            raise torch.OutOfMemoryError

        monkeypatch.setattr(Shared, "logits", full)
        outputs = answered(session, asked)
    np.testing.assert_allclose(outputs.logprob_nats, expected.logprob_nats, rtol=1e-5)


def test_a_model_that_takes_no_mask_is_found_out(
    llama: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever its configuration says: here the mask is lost on the way, and branches see one another."""
    with opened(llama) as session:
        forward = session._loaded.model.forward

        def deaf(*args: Any, attention_mask: object = None, **options: Any) -> Any:
            return forward(*args, **options)

        monkeypatch.setattr(session._loaded.model, "forward", deaf)
        assert session._shared.longest == 0
        outputs = answered(session, requests())
    assert capsys.readouterr().err.count("each is read alone") == 1
    with opened(llama) as session:
        expected = answered(session, requests())
    np.testing.assert_allclose(outputs.logprob_nats, expected.logprob_nats, rtol=1e-5)


def test_damaged_weights_are_the_model_s_fault_not_the_tree_s(
    llama: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    with opened(llama) as session:
        with torch.no_grad():
            session._loaded.model.model.norm.weight.fill_(float("nan"))
        with pytest.raises(DistillbenchError, match="got NaN"):
            answered(session, requests())
    assert "read alone" not in capsys.readouterr().err


def test_logits_that_are_never_reached_do_not_set_a_tree_apart() -> None:
    """Some models give -inf to the rows of their embedding that are no token; a tree that loses a token is apart."""
    import torch

    logits = torch.tensor([[1.0, -torch.inf, 3.0], [2.0, -torch.inf, 1.0]])
    assert _alike(logits + 1e-5, logits, torch.float32)
    for damage in (0.01, torch.nan, torch.inf):
        other = logits.clone()
        other[1, 2] += damage
        assert not _alike(other, logits, torch.float32)
    assert _alike(logits + 0.01, logits, torch.bfloat16)


def test_samples_of_one_prompt_read_it_together(llama: Path) -> None:
    """Two prompts, three draws of each, mixed: two rows are read, and every text is that of its own batch."""
    drawing = Decoding(max_new_tokens=6, temperature=1.0, seed=3)
    asked = [
        Request(p, "generate", text, repeat=r)
        for r in range(3)
        for p, text in enumerate(("The miller of Brask paints", "add 3"))
    ]
    ids = [f"prompt {r.prompt}" for r in asked]
    with opened(llama) as session:
        assert session._shared.longest == 96
        prompts = [len(session._contexts.prompt(r, 6)[0]) for r in asked[:2]]
        with counted(session) as sizes:
            together = session.answer_batch(asked, ids, drawing).text
        apart = [
            session.answer_batch([r], [i], drawing).text[0] for r, i in zip(asked, ids, strict=True)
        ]
    assert sizes[:2] == [2 * max(prompts), 6]
    assert list(together) == apart
    assert len(set(together)) == 6


def test_batches_end_where_little_is_shared() -> None:
    """Three subjects of ten questions with four options; a batch of 45 of them would hold a part of the second."""
    asked = [
        Request(
            q, "score", f"Examples of subject {s}. " * 30 + f"Question {q}?", continuation=f" {o}"
        )
        for s in range(3)
        for q in range(10)
        for o in "abcd"
    ]
    cut = shared_batches(asked, range(len(asked)), None, 550)
    assert sorted(i for batch in cut for i in batch) == list(range(len(asked)))
    assert [len({asked[i].context[20] for i in batch}) for batch in cut] == [1, 1, 1]
    assert max(map(len, shared_batches(asked, range(len(asked)), 7, 400))) == 7
    assert shared_batches(asked, [], None, 400) == []
