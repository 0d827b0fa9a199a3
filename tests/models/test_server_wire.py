"""What servers are sent, and what of their responses is an answer."""

from __future__ import annotations

from typing import Any

import pytest

from harness.models._server_faults import Fault
from harness.models._server_wire import Question, Wire
from harness.plugins import build
from harness.types import Decoding, Message, Request

TALK = (Message("user", "add 3 and 4"), Message("assistant", "7"), Message("user", "Done."))
ASKED = Request(0, "generate", TALK, max_new_tokens=9)


def wire(**fields: Any) -> Wire:
    whole = {"kind": "server", "url": "http://here/v1", "model": "tiny", "chat": True, **fields}
    return build("models", "m", whole).wire()  # type: ignore[no-any-return]


def question(request: Request = ASKED, decoding: Decoding | None = None, **fields: Any) -> Question:
    return wire(**fields).question(request, "p", decoding or Decoding())


def turns(*texts: str) -> list[dict[str, str]]:
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


def test_a_conversation() -> None:
    asked = question(system="be brief")
    messages = [{"role": "system", "content": "be brief"}, *turns("add 3 and 4", "7", "Done.")]
    assert asked.path == "/chat/completions"
    assert asked.body == {
        "model": "tiny",
        "messages": messages,
        "max_tokens": 9,
        "temperature": 0.0,
    }


def test_a_conversation_for_anthropic() -> None:
    asked = question(
        Request(0, "generate", TALK, until=("\n", "END"), max_new_tokens=9),
        Decoding(temperature=0.5, top_p=0.9),
        api="anthropic",
        system="be brief",
    )
    assert asked.path == "/messages"
    assert asked.body == {
        "model": "tiny", "messages": turns("add 3 and 4", "7", "Done."), "system": "be brief", "max_tokens": 9,
        "temperature": 0.5, "top_p": 0.9, "stop_sequences": ["END"],
    }  # fmt: skip


def test_plain_text_with_stop_strings() -> None:
    stops = ("a", "b", "\n", "d", "e")
    asked = question(Request(0, "generate", "Once", until=stops), Decoding(max_new_tokens=5))
    fields = {"prompt": "Once", "max_tokens": 5, "temperature": 0.0, "stop": list(stops[:4])}
    assert asked == Question("/completions", {"model": "tiny", **fields})
    reply = wire().reply(
        Request(0, "generate", "Once", until=stops), {"choices": [{"text": "upon e time"}]}
    )
    assert (reply.row.text, reply.row.stop) == ("upon ", "stop")


def test_own_fields_and_openai_s_own_name_for_the_limit() -> None:
    body = {"temperature": None, "reasoning_effort": "low"}
    asked = question(url="https://api.openai.com/v1", body=body)
    assert asked.body.keys() == {"model", "messages", "max_completion_tokens", "reasoning_effort"}
    assert "max_tokens" in question(url="https://api.openai.com/v1", length_key="max_tokens").body


def test_every_draw_has_a_seed_of_its_own() -> None:
    warm = Decoding(temperature=0.7)
    draws = [
        question(Request(0, "generate", TALK, repeat=0), warm),
        question(Request(0, "generate", TALK, repeat=1), warm),
        question(Request(0, "generate", TALK), Decoding(temperature=0.7, sample=1)),
        question(Request(0, "generate", TALK), Decoding(temperature=0.7, seed=1)),
        wire().question(Request(0, "generate", TALK), "another", warm),
    ]
    assert len({q.body["seed"] for q in draws}) == len(draws)
    assert question(Request(0, "generate", TALK), warm).body["seed"] == draws[0].body["seed"]


def test_a_reply_that_is_begun_needs_a_server_that_goes_on_with_it() -> None:
    begun = Request(0, "generate", (*TALK, Message("assistant", "The answer is")), open=False)
    with pytest.raises(Fault, match="set `prefill: true`"):
        question(begun)
    assert question(begun, prefill=True).body["continue_final_message"]
    assert question(begun, api="anthropic").body["messages"][-1]["content"] == "The answer is"


def test_a_conversation_is_not_scored_and_plain_text_is_not_for_anthropic() -> None:
    with pytest.raises(Fault, match="of plain text only"):
        question(Request(0, "score", TALK, continuation=" x"))
    with pytest.raises(Fault, match="takes conversations only"):
        question(Request(0, "generate", "Once"), api="anthropic")


def chat(content: Any, finish: Any = "stop", **message: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": content, **message}, "finish_reason": finish}]}


def claude(content: Any, stop: str = "end_turn") -> dict[str, Any]:
    return {"type": "message", "content": content, "stop_reason": stop}


def texts(*parts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": part} for part in parts]


THOUGHT = "<think>\nHm.\n</think>\n\n"


@pytest.mark.parametrize(
    ("api", "content", "text", "stop"),
    [
        ("openai", chat("Seven."), "Seven.", "eos"),
        ("openai", chat("Sev", "length"), "Sev", "length"),
        ("openai", chat(None, "length"), "", "length"),
        ("openai", chat(""), "", "eos"),
        ("openai", chat("Half", "content_filter"), "Half", "content_filter"),
        ("openai", chat("I look", "tool_calls", tool_calls=[{"id": 1}]), "I look", "tool_calls"),
        ("openai", chat("Seven.", None), "Seven.", "unknown"),
        ("openai", chat(None, refusal="I cannot."), "I cannot.", "eos"),
        ("openai", chat("Seven.", reasoning_content="Hm."), f"{THOUGHT}Seven.", "eos"),
        ("openai", chat(texts("Sev", "en.")), "Seven.", "eos"),
        ("openai", chat("half \ud83d"), "half \ufffd", "eos"),
        ("openai", chat("\ud83d\ude00"), "\U0001f600", "eos"),
        ("anthropic", claude(texts("Seven.")), "Seven.", "eos"),
        ("anthropic", claude(texts("Sev"), "max_tokens"), "Sev", "length"),
        ("anthropic", claude(texts("Sev"), "stop_sequence"), "Sev", "stop"),
        ("anthropic", claude(texts("No"), "refusal"), "No", "content_filter"),
        ("anthropic", claude([{"type": "thinking", "thinking": "Hm."}, *texts("Seven.")]), f"{THOUGHT}Seven.", "eos"),
    ],
)  # fmt: skip
def test_what_is_an_answer(api: str, content: Any, text: str, stop: str) -> None:
    row = wire(api=api).reply(ASKED, content).row
    assert (row.text, row.stop, row.answered) == (text, stop, True)


@pytest.mark.parametrize(
    ("api", "content", "words", "effect"),
    [
        ("openai", chat(None), "without a text", "again"),
        ("openai", chat(None, "content_filter"), "filters the content", "missing"),
        ("openai", chat("", "content_filter"), "filters the content", "missing"),
        ("openai", chat(None, "tool_calls", tool_calls=[{"id": 1}]), "calls a tool", "missing"),
        ("openai", chat([{"type": "image_url"}]), "something that is not text", "missing"),
        ("openai", {"choices": []}, "answers 0 choices instead of 1", "again"),
        ("openai", {"choices": [{}, {}]}, "answers 2 choices instead of 1", "again"),
        ("openai", {}, "answers no choices instead of 1", "again"),
        ("openai", {"choices": ["x"]}, "a choice that is not an object", "again"),
        ("openai", {"choices": [{}]}, "without a text", "again"),
        ("openai", chat(7), "something that is not text", "missing"),
        ("anthropic", claude([]), "without a text", "again"),
        ("anthropic", claude([{"type": "tool_use"}], "tool_use"), "not text", "missing"),
        ("anthropic", claude([], "refusal"), "filters the content", "missing"),
    ],
)  # fmt: skip
def test_what_is_no_answer(api: str, content: Any, words: str, effect: str) -> None:
    with pytest.raises(Fault, match=words) as caught:
        wire(api=api).reply(ASKED, content)
    assert caught.value.effect == effect
    assert caught.value.paid


@pytest.mark.parametrize(
    ("api", "usage", "told"),
    [
        ("openai", {"prompt_tokens": 10, "completion_tokens": 4}, (10, 4)),
        (
            "anthropic",
            {"input_tokens": 3, "cache_read_input_tokens": 7, "output_tokens": 4},
            (10, 4),
        ),
        ("openai", {"prompt_tokens": "many", "completion_tokens": -1}, (0, 0)),
    ],
)
def test_tokens_and_their_price(api: str, usage: Any, told: tuple[int, int]) -> None:
    prices = {"usd_per_million_input": 2.0, "usd_per_million_output": 5.0}
    said = wire(api=api, **prices).told({"usage": usage})
    usd = (told[0] * 2 + told[1] * 5) / 1e6
    assert said == {
        "prompt_tokens": told[0],
        "completion_tokens": told[1],
        "usd": pytest.approx(usd),
    }
    assert "usd" not in wire(api=api).told({"usage": usage})
    assert wire(api=api).told({}) == {}
