"""What is masked, what is left alone, and what is refused."""

from __future__ import annotations

import json
import logging
import sys
import threading
from base64 import b64encode
from pathlib import Path
from urllib.parse import quote

import pytest

from harness.board.record import RunRecord
from harness.console import foreign, secrets
from harness.console.credentials import argument_faults, configuration_faults, override_faults
from harness.console.progress import say
from harness.console.secrets import known_values, redacted, secret_in
from harness.store.store import Store
from tests.report.records import record as some_record

KEY = "k3y/with+odd=signs&more"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    """One key in the environment, and a placeholder that is too short to be one."""
    monkeypatch.setattr(secrets, "_named", set())
    monkeypatch.setenv("SOME_API_KEY", KEY)
    monkeypatch.setenv("OTHER_API_KEY", "EMPTY")


@pytest.mark.parametrize(
    "spelt",
    [
        KEY,
        quote(KEY),
        quote(KEY, safe=""),
        json.dumps(KEY),
        repr(KEY),
        b64encode(KEY.encode()).decode(),
    ],
)
def test_a_known_key_is_masked_however_it_is_spelt(spelt: str) -> None:
    assert (
        redacted(f"before {spelt} after")
        == f"before {spelt.replace(spelt.strip(chr(34) + chr(39)), '***')} after"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://user:pa:ss@127.0.0.1:8000/v1", "http://***@127.0.0.1:8000/v1"),
        ("see https://token@host/a and b@c.org", "see https://***@host/a and b@c.org"),
        ("URL('http://h:1/v1?key=abc&x=y#z')", "URL('http://h:1/v1?***')"),
        (
            "Max retries exceeded with url: /v1/chat?api_key=abc (Caused by x)",
            "/v1/chat?*** (Caused by x)",
        ),
        ("http://h/v1#access_token=abc, then", "http://h/v1#*** then"),
        ("{'Authorization': 'Bearer abc', 'Host': 'h'}", "{'Authorization': ***, 'Host': 'h'}"),
        ("authorization: Basic dXNlcjpwYXNz\nnext", "authorization: ***\nnext"),
        ("Authorization: AWS4-HMAC Credential=a, Signature=b", "Authorization: ***"),
        ("api-key: abc, accept: all", "api-key: ***, accept: all"),
        (
            "<CIMultiDict('x-api-key': 'abc', 'Accept': '*/*')>",
            "<CIMultiDict('x-api-key': ***, 'Accept': '*/*')>",
        ),
        (
            "[(b'Authorization', b'abc'), (b'Accept', b'*')]",
            "[(b'Authorization', b***), (b'Accept', b'*')]",
        ),
        ('"{\\"x-api-key\\": \\"abc\\"}"', '"{\\"x-api-key\\": ***}"'),
        ("Set-Cookie: session=abc; Path=/", "Set-Cookie: ***"),
        ("got {'api_key': 'abc', 'model': 'm'}", "got {'api_key': ***, 'model': 'm'}"),
        ("+models.x.args.api_key=abc", "+models.x.args.api_key=***"),
        ("no, Bearer abc.def-ghi", "no, Bearer ***"),
        ("Incorrect key sk-proj-0123456789abcdef.", "Incorrect key ***."),
    ],
)
def test_patterns_are_masked(text: str, expected: str) -> None:
    assert redacted(text).endswith(expected)


@pytest.mark.parametrize(
    "text",
    [
        "models.x.args.api_key: expected no secret in a configuration",
        "key args.authorization: expected no secret",
        "'gsm9k' is unknown; did you mean 'gsm8k'? (known: a, b)",
        "http://127.0.0.1:8000/v1/chat/completions answered 500; try 2 of 3",
        "environment variable MY_KEY is not set; name another by api_key_env",
        "key max_tokens: expected a whole number; EMPTY is none",
        "a student that learned to write sk-learn code, password and token included",
    ],
)
def test_plain_messages_stay(text: str) -> None:
    assert redacted(text) == text


def test_what_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLAIN", "in plain sight")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:pass%20word@proxy:1")
    known = known_values()
    assert known[KEY] == "SOME_API_KEY"
    assert known["pass word"] == "HTTPS_PROXY"
    assert "EMPTY" not in known
    assert "in plain sight" not in known
    secrets.remember("PLAIN")
    assert known_values()["in plain sight"] == "PLAIN"
    assert secret_in(f"x{KEY}") == "the value of environment variable SOME_API_KEY"
    assert secret_in("max_tokens and tokens") is None


def test_values_are_copied_with_their_texts_masked() -> None:
    record = RunRecord(**{**vars(some_record()), "title": KEY, "warnings": (f"a {KEY}",)})
    clean = redacted(record)
    assert (clean.title, clean.warnings, record.title) == ("***", ("a ***",), KEY)
    assert clean.scores == record.scores
    assert clean.collections == record.collections
    nested = {"args": {"password": "short", "n": 3, "password_env": "X", "list": [KEY, 1.5, None]}}
    assert redacted(nested) == {
        "args": {"password": "***", "n": 3, "password_env": "X", "list": ["***", 1.5, None]}
    }


def test_failures_and_lines_are_masked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path)
    store.note_failure("k", f"no {KEY}")
    assert (tmp_path / "failures" / "k.txt").read_text() == "no ***"
    (tmp_path / "failures" / "old.txt").write_text(f"of an older version: {KEY}")
    assert store.failure("old") == "of an older version: ***"
    say(f"error: {KEY}")
    assert capsys.readouterr().err == "error: ***\n"


def test_log_records_are_masked(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    before = logging.getLogRecordFactory()
    try:
        secrets.guard_logs()
        logging.getLogger("anyone").error("key %s", KEY)
        logging.getLogger("anyone").error("key %d", KEY)
        try:
            raise ValueError(KEY)
        except ValueError:
            logging.getLogger("anyone").exception("failed")
    finally:
        logging.setLogRecordFactory(before)
    assert [r.getMessage() for r in caplog.records] == ["key ***", "key %d", "failed"]
    assert KEY not in caplog.text
    assert "ValueError: ***" in caplog.text


def test_a_muffle_lets_our_own_words_through(capsys: pytest.CaptureFixture[str]) -> None:
    heard: list[str] = []
    loud = logging.getLogger("loud")
    handler = logging.StreamHandler(sys.stdout)
    loud.addHandler(handler)
    loud.propagate = False
    try:
        with foreign.muffled(lambda record: heard.append(record.getMessage())):
            print("foreign")
            print("foreign", file=sys.stderr)
            stale = sys.stderr
            loud.warning("foreign log")
            say(f"ours {KEY}")
            foreign.notify("a line of ours")
            drawing = threading.Thread(target=lambda: print("a bar", file=sys.stderr))
            drawing.start()
            drawing.join()
            with foreign.listening(heard.append):
                foreign.notify(f"told {KEY}")
        print("late", file=stale)
        loud.warning("after")
    finally:
        loud.removeHandler(handler)
        loud.propagate = True
    out, err = capsys.readouterr()
    assert (out, err) == ("after\n", "ours ***\na line of ours\na bar\n")
    assert heard == ["foreign log", "told ***"]


def test_harmless_settings_are_accepted() -> None:
    args = {
        "base_url": "https://x.openai.azure.com/openai/deployments/y/chat/completions?api-version=2024-02-01",
        "tokenizer": "a/b", "max_gen_toks": 5, "add_bos_token": True, "think_end_token": "</think>", "token": True,
        "custom_prefix_token_id": 3, "pretrained": "ft:gpt-4o:org::id", "header": None,
    }  # fmt: skip
    assert argument_faults(args) == []
    models = {
        "x": {"args": args, "api_key_env": "MY_KEY", "system": "What is http://a:b@c/?key=d for?"}
    }
    texts = {
        "title": "key=value, see http://h/?key=x and so on",
        "tasks": {"t": {"columns": {"token": "token"}}},
    }
    assert configuration_faults({"models": models, **texts}) == []
    words = [
        "matrix=small",
        "models.x.args.base_url=http://127.0.0.1:8000/v1",
        "seed=0,1",
        "-m",
        "paths.data=/a/b",
    ]
    assert (
        override_faults(
            [*words, "models.x.api_key_env=MY_KEY", "~models.x", "models.x.args.token=true"]
        )
        == []
    )


def test_a_line_for_every_credential() -> None:
    args = {"base_url": "http://a:b@c/?token=d", "api-key": "x", "headers": {"x": "y"}}
    faults = argument_faults(args, "args")
    assert [fault.partition(":")[0] for fault in faults] == [
        "args.base_url",
        "args.base_url",
        "args.api-key",
        "args.headers",
    ]
    assert all("api_key_env" in fault for fault in faults)


@pytest.mark.parametrize("name", ["hashing_key", "key", "keys"])
def test_the_key_of_a_watermark_is_refused_and_not_repeated(name: str) -> None:
    secret = "918273645546372819"
    metrics = {"radioactivity": {"watermark": {"kind": "greenlist", name: int(secret)}}}
    words = [
        f"+metrics.radioactivity.watermark.{name}={secret}",
        f"metrics.radioactivity.watermark={{kind: greenlist, {name}: {secret}}}",
        f"+metrics.radioactivity={{watermark: {{kind: greenlist, {name}: {secret}}}}}",
    ]
    faults = [configuration_faults({"metrics": metrics}), *(override_faults([w]) for w in words)]
    for lines in faults:
        (line,) = lines
        assert "expected no key of a watermark" in line
        assert secret not in line


def test_the_variable_of_a_watermark_is_a_name() -> None:
    secret = "918273645546372819"
    for value in ("MY_MARK", secret):
        fields = {"radioactivity": {"watermark": {"kind": "greenlist", "key_env": value}}}
        faults = [
            *configuration_faults({"metrics": fields}),
            *override_faults([f"metrics.radioactivity.watermark.key_env={value}"]),
        ]
        assert len(faults) == (0 if value == "MY_MARK" else 2)
        assert secret not in "".join(faults)
