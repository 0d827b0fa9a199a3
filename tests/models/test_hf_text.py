"""What is added to texts and conversations, over every shape of tokenizer and template."""

from __future__ import annotations

from typing import Any

import pytest

from harness.models._hf_context import Contexts, Manner, cut
from harness.models._hf_model import LoadedModel
from harness.models._hf_template import DAY, Frame, frame_of, render
from harness.models._hf_text import Context, Speller, make_speller
from harness.types import DistillbenchError, Message, Request
from tests.models.shapes import HIDDEN, SHAPES, Shape

TEXTS = ("Name a colour.", " a blank first", "a line\n", "naïve 東京", "the tin mine in Orl", "7")
PAIRS = (
    ("Answer:", " tin"),
    ("Answer: ", "tin"),
    ("Answer:\n", "tin"),
    ("the mine \n ", "in Orl"),
    ("naï", "ve"),
    ("", "tin"),
)
TALKS: tuple[tuple[str, ...], ...] = (("add 3",), (" blanks \n",), ("add 3", "you get 7", "and 5?"))


def _speller(shape: Shape) -> Speller:
    tokenizer = shape.tokenizer()
    return make_speller("m", tokenizer, len(tokenizer))


def _talk(texts: tuple[str, ...]) -> list[Message]:
    return [Message(("user", "assistant")[i % 2], text) for i, text in enumerate(texts)]


def _contexts(speller: Speller, system: str | None = None, ends: Any = (), **more: Any) -> Contexts:
    said: list[str] = []
    loaded: Any = LoadedModel(
        "m",
        None,
        speller,
        None,
        more.get("max_length", 4096),
        frozenset(ends),
        frozenset(),
        (),
    )
    contexts = Contexts(loaded, Manner(system, False), lambda note, _: said.append(note))
    contexts.__dict__["said"] = said
    return contexts


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Shape:
    return SHAPES[request.param]


def test_a_conversation_has_the_ids_that_its_template_gives(shape: Shape) -> None:
    speller = _speller(shape)
    for texts in TALKS:
        talk = _talk(texts)
        rendered = render(speller, talk, True, {})
        expected = speller.tokenizer.apply_chat_template(
            [{"role": m.role, "content": m.text} for m in talk],
            tokenize=True,
            return_dict=False,
            add_generation_prompt=True,
        )
        if shape.dated:  # transformers tells today's date
            assert render(speller, talk, True, {}).count(f"{DAY:%d %B %Y}") == 1
            continue
        assert speller.encode(Context(rendered, rendered=True)) == expected


def test_nothing_stands_behind_a_text(shape: Shape) -> None:
    speller = _speller(shape)
    assert tuple(map(speller.token, speller.before)) == shape.before
    assert tuple(map(speller.token, speller.behind)) == shape.behind
    for text in TEXTS:
        bare = speller.tokenizer.encode(text, add_special_tokens=False)
        assert speller.encode(Context(text, rendered=False)) == [*speller.before, *bare]


def test_a_text_that_brings_its_beginning_gets_no_second(shape: Shape) -> None:
    speller = _speller(shape)
    text = "".join(shape.before) + "Name a colour."
    ids = speller.encode(Context(text, rendered=False))
    assert ids == speller.tokenizer.encode(text, add_special_tokens=False)


def test_a_continuation_begins_where_its_context_ends(shape: Shape) -> None:
    """The two are the whole text's own tokens, and what stands before the cut is the context's."""
    speller = _speller(shape)
    for context, end in PAIRS:
        start, target = speller.encode_pair(Context(context, rendered=False), end)
        if context:
            assert start + target == speller.encode(Context(context + end, rendered=False))
            whole = speller.encode(Context(context, rendered=False))
            assert whole[: len(start)] == start
        else:
            assert start == [speller.prefix_id]
        assert not set(start + target) & set(speller.behind) - {speller.prefix_id}
        assert speller.tokenizer.decode(target).strip() == end.strip()


def test_a_token_that_spans_the_boundary_goes_to_the_continuation() -> None:
    """ "i" and "n" are one token: the context's own last token is not part of the whole text."""
    speller = _speller(SHAPES["gemma"])
    start, target = speller.encode_pair(Context("the i", rendered=False), "n Orl")
    spelled = speller.tokenizer.convert_ids_to_tokens
    assert spelled(start) == ["<bos>", "t", "h", "e", "▁"]
    assert spelled(target)[:2] == ["in", "▁"]


def test_what_a_template_adds_and_closes_with(shape: Shape) -> None:
    speller = _speller(shape)
    frame = frame_of(speller, {})
    assert frame is not None
    closing = None if frame.closing is None else speller.token(frame.closing)
    assert (closing, frame.adds, frame.dated) == (shape.closing, shape.adds, shape.dated)
    assert frame.stop == shape.stop
    assert frame.n_header > 0


def test_a_cut_keeps_the_beginning_and_the_header(shape: Shape) -> None:
    speller = _speller(shape)
    frame = frame_of(speller, {})
    assert frame is not None
    request = Request(0, "generate", (Message("user", "quite a long question, all in all"),))
    whole, none = _contexts(speller).prompt(request, 10)
    room = frame.n_header + 4
    kept, n = _contexts(speller, max_length=room + 10).prompt(request, 10)
    assert (none, n, len(kept)) == (0, len(whole) - room, room)
    assert kept[-frame.n_header :] == whole[-frame.n_header :]
    begins = [i for i in whole if speller.token(i) in shape.before]
    if begins and whole[0] == begins[0]:
        assert kept[0] == begins[0]
    short = _contexts(speller, max_length=frame.n_header + 10)
    with pytest.raises(DistillbenchError, match="expected max_new_tokens of at most"):
        short.prompt(request, 10)


def test_the_user_is_told_once(shape: Shape) -> None:
    """Words of the template's own, the date, and an end that nothing else names; nothing where there is nothing."""
    speller = _speller(shape)
    for ends in ({speller.tokenizer.eos_token_id}, set(range(len(speller.tokenizer)))):
        contexts = _contexts(speller, ends=ends)
        request = Request(0, "generate", (Message("user", "add 3"),))
        contexts.of(request)
        said = contexts.__dict__["said"]
        assert len(said) == bool(shape.adds) + shape.dated  # a score has no end to speak of
        contexts.prompt(request, 10)
        said = list(dict.fromkeys(said))  # a session says each once
        assert any(f'"{shape.adds}"' in line for line in said) == bool(shape.adds)
        assert any("26 July 2024, whatever the day" in line for line in said) == shape.dated
        closing = speller.tokenizer.convert_tokens_to_ids(shape.closing) if shape.closing else None
        missing = closing is not None and closing not in ends
        assert any(f"ends at {shape.closing}," in line for line in said) == missing
        assert any(line.startswith("no token closes") for line in said) == bool(shape.stop)
        assert any(f'begin with "{shape.missing}"' in x for x in said) == bool(shape.missing)
        told = (shape.adds, shape.dated, missing, shape.stop, shape.missing)
        assert len(said) == sum(map(bool, told))


def test_an_empty_system_message_asks_for_none(shape: Shape) -> None:
    speller = _speller(shape)
    asked = Request(0, "generate", (Message("user", "add 3"),))
    plain, empty = (_contexts(speller, system).of(asked).text for system in (None, ""))
    assert HIDDEN not in empty
    if HIDDEN not in plain and not shape.dated:
        assert empty == plain or shape.adds


def test_a_system_message_takes_the_place_of_the_templates() -> None:
    speller = _speller(SHAPES["qwen_2_5"])
    contexts = _contexts(speller, "Be brief.")
    text = contexts.of(Request(0, "generate", (Message("user", "add 3"),))).text
    assert "Be brief." in text
    assert HIDDEN not in text
    assert not [line for line in contexts.__dict__["said"] if "words of its own" in line]


def test_refused_conversations_are_said_in_words() -> None:
    speller = _speller(SHAPES["gemma"])
    with pytest.raises(DistillbenchError, match=r"no system turn.*drop_system"):
        render(speller, [Message("system", "x"), Message("user", "y")], True, {})


def test_a_system_message_that_the_template_leaves_out_is_refused() -> None:
    speller = _speller(SHAPES["phi"])
    talk = [Message("system", " Be brief.\n"), Message("user", "y")]
    assert "Be brief." in render(speller, talk, True, {})
    template = speller.tokenizer.chat_template
    speller.tokenizer.chat_template = template.replace(
        "for m in messages", "for m in messages if m['role'] != 'system'"
    )
    with pytest.raises(DistillbenchError, match=r"leaves the system message out .*drop_system"):
        render(speller, talk, True, {})
    assert render(speller, talk[1:], True, {})


@pytest.mark.parametrize("made_of", ["string", "parts"])
def test_a_template_that_leaves_the_question_out_is_refused(made_of: str) -> None:
    """As templates of models that see do: a message in parts is written, one that is a text is not."""
    speller = _speller(SHAPES["phi"])
    parts = "{% for part in m['content'] %}{{ part['text'] }}{% endfor %}"
    if made_of == "string":
        text = "{{ m['content'] }}"
        parts = f"{{% if m['content'] is string %}}{text}{{% else %}}{parts}{{% endif %}}"
    speller.tokenizer.chat_template = (
        f"{{% for m in messages %}}<|user|>{parts}<|end|>{{% endfor %}}"
    )
    talk = [Message("user", "Name a colour.")]
    if made_of == "string":
        assert "Name a colour." in render(speller, talk, True, {})
    else:
        with pytest.raises(DistillbenchError, match=r"leaves the question out \('Name a colour"):
            render(speller, talk, True, {})


def test_of_several_templates_the_one_called_default_is_taken() -> None:
    speller, talk = _speller(SHAPES["phi"]), [Message("user", "y")]
    own = speller.tokenizer.chat_template
    expected = render(speller, talk, True, {})
    speller.tokenizer.chat_template = {"default": own, "tool_use": "tools"}
    assert render(speller, talk, True, {}) == expected
    speller.tokenizer.chat_template = {"rag": own, "tool_use": "tools"}
    with pytest.raises(DistillbenchError, match=r"one called default, got rag, tool_use; set"):
        render(speller, talk, True, {})


def test_a_token_without_a_row_is_named() -> None:
    """The template's own token lies beyond the embedding: said before anything is asked."""
    tokenizer = SHAPES["qwen_3"].tokenizer()
    tokenizer.add_special_tokens({"additional_special_tokens": ["<|new|>"]})
    tokenizer.chat_template = tokenizer.chat_template.replace("<|im_end|>", "<|new|>")
    speller = make_speller("m", tokenizer, len(tokenizer) - 1)
    row = len(tokenizer) - 1
    with pytest.raises(
        DistillbenchError, match=rf"<\|new\|> \(id {row}\) has no row.*\({row} rows"
    ):
        _contexts(speller).of(Request(0, "generate", (Message("user", "x"),)))
    assert speller.encode(Context("plain text", rendered=False))


def test_a_stop_of_the_template_joins_those_of_the_request() -> None:
    contexts = _contexts(_speller(SHAPES["no_mark_closes"]))
    talk = Request(0, "generate", (Message("user", "add 3"),), until=(";", ""))
    assert contexts.stops(talk) == (";", "\nuser:")
    assert contexts.stops(Request(0, "generate", "plain", until=(";",))) == (";",)


def test_cuts_by_hand() -> None:
    assert cut([0, 1, 2, 3], 1, 4) == ((0, 1, 2, 3), 0)
    assert cut([0, 1, 2, 3, 4], 1, 3) == ((0, 3, 4), 2)
    assert cut([5, 1, 2, 3, 4], 0, 3) == ((2, 3, 4), 2)
    assert cut([0, 1, 2], 2, 1) == ((2,), 2)


def test_an_unreadable_template_has_no_frame() -> None:
    speller = _speller(SHAPES["phi"])
    speller.tokenizer.chat_template = "{{ raise_exception('never') }}"
    frame: Frame | None = frame_of(speller, {})
    assert frame is None
