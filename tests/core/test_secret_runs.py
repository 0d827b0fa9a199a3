"""No secret in any file, page or line of a run, whatever its server does."""

from __future__ import annotations

import gc
import stat
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from omegaconf import OmegaConf

from harness.cli.composition import refuse_credentials_in
from harness.cli.config import packaged
from harness.stages.run import execute
from harness.types import DistillbenchError
from tests.core.loopback import loopback
from tests.core.running import command, inside, matrix, run_of, write_data

tenacity = pytest.importorskip(
    "tenacity", reason="lm-eval's API clients need tenacity: pip install 'lm-eval[api]'"
)
CANARY = "canary-{}-8f3a91c7d2"
VARIABLES = ("MY_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "HF_TOKEN", "AWS_SECRET_ACCESS_KEY")


@pytest.fixture
def canaries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Secrets in the environment: five keys and the password of a proxy that nothing here goes through."""
    for variable in VARIABLES:
        monkeypatch.setenv(variable, CANARY.format(variable.lower()))
    password = CANARY.format("proxy")
    monkeypatch.setenv("FTP_PROXY", f"http://user:{password}@127.0.0.1:9/")
    return [*(CANARY.format(v.lower()) for v in VARIABLES), password]


def server_model(url: str, **fields: Any) -> dict[str, Any]:
    """A chat model behind an address."""
    args = {
        "base_url": url,
        "model": "tiny",
        "max_retries": 2,
        "num_concurrent": 4,
        **fields.pop("args", {}),
    }
    asked = {
        "model": "local-chat-completions",
        "chat": True,
        "snapshot": "2026-01-31",
        "api_key_env": "MY_KEY",
    }
    return {"kind": "lm_eval", **asked, "args": args, **fields}


def of_models(models: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A matrix of models that answer a few open prompts, greedily."""
    tasks = {"open": {"kind": "prompts", "file": "prompts.jsonl", "columns": {"prompt": "prompt"}}}
    pairs = [{"teacher": "teacher", "student": "student", "base": None}]
    decoding = {"temperature": 0.0, "max_new_tokens": 32}
    fields = {
        "models": models,
        "tasks": tasks,
        "metrics": {"length": None, "truncation": None},
        "pairs": pairs,
        "controls": [],
    }
    return matrix(**fields, decoding=decoding, **changes)


def everything(folder: Path) -> bytes:
    """All names and bytes below a folder; tables also as they read."""
    found = []
    for path in sorted(folder.rglob("*")):
        found.append(str(path).encode())
        if path.is_file():
            found.append(path.read_bytes())
        if path.suffix == ".parquet":
            found.append(
                repr((pq.read_table(path).to_pylist(), pq.read_schema(path).metadata)).encode()
            )
    return b"\n".join(found)


def holding(canaries: list[str], tmp_path: Path, *said: str) -> list[str]:
    """Canaries that stand in results, cache or what was said."""
    written = (
        everything(tmp_path / "results") + everything(tmp_path / "cache") + "\n".join(said).encode()
    )
    return [c for c in canaries if c.encode() in written]


@pytest.mark.slow  # seconds
def test_servers_that_always_fail_give_nothing_away(
    tmp_path: Path,
    canaries: list[str],
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "lm_eval.models.api_models.wait_exponential", lambda **_: tenacity.wait_none()
    )
    with ExitStack() as stack:
        servers = {
            way: stack.enter_context(loopback(way)) for way in (500, 401, "reset", "html", "odd")
        }
        names: dict[str, int | str] = {
            "teacher": 500,
            "student": 401,
            "gone": "reset",
            "page": "html",
            "odd": "odd",
        }
        models = {n: server_model(servers[way].url, snapshot=n) for n, way in names.items()}
        # without a name, lm-eval's own variable holds the key: OPENAI_API_KEY
        for n, way in names.items():
            models[f"{n}1"] = server_model(
                servers[way].url, snapshot=f"{n}1", args={"num_concurrent": 1}, api_key_env=None
            )
        models["claude"] = server_model(
            servers[500].url, model="anthropic-chat", api_key_env="ANTHROPIC_API_KEY"
        )
        run = run_of(tmp_path, **of_models(models, limit=6))
        assert execute(run, packaged("reference") / "scores.csv", alone=True).code == 3
        sent = {
            h.get("Authorization") or h.get("x-api-key")
            for server in servers.values()
            for h in server.seen
        }
    assert sent == {f"Bearer {canaries[0]}", f"Bearer {canaries[1]}", canaries[2]}
    gc.collect()  # what a failure left behind would speak up now
    assert [
        r.getMessage() for r in caplog.records if r.name.startswith(("asyncio", "lm_eval"))
    ] == []
    said = capfd.readouterr()
    assert holding(canaries, tmp_path, said.out, said.err) == []
    assert said.out == ""
    lines = said.err.splitlines()
    tries = [line for line in lines if line.endswith("; try 2 of 2")]
    assert len(tries) == len([line for line in lines if "; try " in line])
    for name, way in names.items():
        own = [t for t in tries if t.startswith(f"{name}: {servers[way].place} ")]
        # all requests at once, or the first alone; then three by themselves, until the server is taken to be gone
        assert len(own) == (0 if way == "odd" else 6 + 3), said.err
        alone = [t for t in tries if t.startswith(f"{name}1: ")]
        assert len(alone) == (0 if way == "odd" else 1 + 3)
        assert all(f"answered {way};" in t for t in own if isinstance(way, int))
    for name in ("odd", "odd1"):
        assert (
            lines.count(f"{name}: the server gives no text for some requests; they have no answer")
            == 1
        )
    for foreign in (
        "Requesting API",
        "retrieved",
        "Exception",
        "Traceback",
        "api_models",
        "uthoriz",
        "Response",
    ):
        assert foreign not in said.err, foreign
    failure = f"failed on 1 request (generate_until): 500, message='no, Bearer ***', url='{servers[500].url}'; check"
    start = "missing teacher x open: model teacher: local-chat-completions"
    assert any(line.startswith(f"{start} {failure} the server") for line in lines)


@pytest.mark.slow  # seconds
def test_workers_and_loggers_give_nothing_away(tmp_path: Path, canaries: list[str]) -> None:
    write_data(tmp_path / "data", n=5)
    with loopback(500) as server:
        models = {n: server_model(server.url, snapshot=n) for n in ("teacher", "student")}
        logging = ["hydra/job_logging=default", "hydra/hydra_logging=default", "hydra.verbose=true"]
        words = ["matrix=small", "workers=2", "stages=[collect]", *logging]
        done = command(tmp_path, *words, files={"matrix/small": of_models(models)})
    assert done.returncode == 3, done.stderr
    assert {h["Authorization"] for h in server.seen} == {f"Bearer {canaries[0]}"}
    assert len(
        [line for line in done.stderr.splitlines() if line.endswith("answered 500; try 2 of 2")]
    ) == 2 * (5 + 3)
    assert holding(canaries, tmp_path, done.stdout, done.stderr) == []
    assert "api_models" not in done.stdout + done.stderr


def test_an_answer_that_holds_a_key_stays_and_is_told_once(
    tmp_path: Path, canaries: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with loopback("chat") as server:
        models = {"teacher": server_model(server.url), "student": {"kind": "fake", "style": "odd"}}
        run = run_of(tmp_path, **of_models(models))
        outcome = execute(run, packaged("reference") / "scores.csv", alone=True)
        again = execute(run, packaged("reference") / "scores.csv", alone=True)
        assert (outcome.code, again.code, len(server.seen)) == (0, 0, 40)
    said = capfd.readouterr()
    line = "warning: teacher x open: an answer holds the value of environment variable MY_KEY"
    assert [x.startswith(line) for x in said.err.splitlines()].count(True) == 2  # once a run
    assert "student x open: an answer holds" not in said.err
    assert holding(canaries, tmp_path / "nowhere", said.err, said.out) == []
    rows = [
        r
        for p in (tmp_path / "results" / "store").rglob("rows.parquet")
        for r in pq.read_table(p).to_pylist()
    ]
    answers = [r["text"] for r in rows if r.get("text") and "you said" in r["text"]]
    assert sorted(answers)[0] == f"you said Tell me about thing 0. with Bearer {canaries[0]}"
    facts = (tmp_path / "results" / "report" / "run.json").read_text()
    assert line.removeprefix("warning: ") in facts
    assert canaries[0] not in facts


URL = "http://{}@127.0.0.1:9/v1"
SECRET = "canary-refused-1b2c3d4e5f"


@pytest.mark.parametrize(
    "word",
    [
        f"models.teacher.args.base_url={URL.format('user:' + SECRET)}",
        f"models.teacher.args.base_url={URL.format(SECRET)}",
        f"models.teacher.args.base_url=user:{SECRET}@127.0.0.1:9/v1",
        f"models.teacher.args.base_url='http://127.0.0.1:9/v1?key={SECRET}'",
        f"models.teacher.args.base_url=http://127.0.0.1:9/v1?a\\=b&api_key\\={SECRET}",
        f"+models.teacher.args.base_url=http://127.0.0.1:9/v1?access_token={SECRET}",
        f"models.teacher.args.api_key={SECRET}",
        f"+models.teacher.args.token={SECRET}",
        f"++models.teacher.args.auth_token={SECRET}",
        f"+models.teacher.args.header.Authorization={SECRET}",
        f"+models.teacher.args.header={{x-api-key: {SECRET}}}",
        f"+models.teacher.args.password={SECRET},{SECRET}2",
        f"+models.new={{kind: lm_eval, args: {{token: {SECRET}}}}}",
        f"+models.teacher.api_key={SECRET}",
        f"models.teacher.api_key_env={SECRET}",
        "title=${oc.env:MY_KEY}",
        "title=" + CANARY.format("my_key"),
        "+hydra.job.env_set.OPENAI_API_KEY=" + SECRET,
        "hydra.run.dir=" + URL.format(SECRET),
        "hydra.job.env_copy=[OPENAI_API_KEY]",
    ],
)
def test_credentials_on_the_command_line_are_refused(
    tmp_path: Path, canaries: list[str], word: str
) -> None:
    words = conf_words(tmp_path, of_models({"teacher": server_model("http://127.0.0.1:9/v1")}))
    with pytest.raises(DistillbenchError) as refused:
        refuse_credentials_in([*words, word])
    with pytest.raises(DistillbenchError):
        refuse_credentials_in(["-m", *words, word])
    assert not [c for c in (*canaries, SECRET) if c in str(refused.value)]
    assert all(": expected" in line for line in str(refused.value).splitlines())


def test_a_server_without_credentials_is_let_through(tmp_path: Path, canaries: list[str]) -> None:
    words = conf_words(tmp_path, of_models({"teacher": server_model("http://127.0.0.1:9/v1")}))
    refuse_credentials_in(words)
    refuse_credentials_in(["-m", *words])


def conf_words(tmp_path: Path, content: dict[str, Any], **models: Any) -> list[str]:
    """The words of a command line whose --config-dir has a matrix `small` and model files."""
    for name, fields in {
        "matrix/small": content,
        **{f"model/{n}": m for n, m in models.items()},
    }.items():
        path = tmp_path / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        head = "# @package _global_\n" if name.startswith("matrix/") else ""
        path.write_text(head + OmegaConf.to_yaml(OmegaConf.create(fields)))
    return ["--config-dir", str(tmp_path / "conf"), "matrix=small"]


@pytest.mark.parametrize(
    ("fields", "key"),
    [
        ({"args": {"base_url": URL.format("user:" + SECRET)}}, "models.x.args.base_url"),
        ({"args": {"base_url": f"http://127.0.0.1:9/v1?key={SECRET}"}}, "models.x.args.base_url"),
        (
            {
                "args": {
                    "base_url": "http://127.0.0.1:9/v1/${models.x.args.model}",
                    "model": f"u:{SECRET}@h",
                }
            },
            "args.model",
        ),
        ({"args": {"api_key": SECRET}}, "models.x.args.api_key"),
        ({"args": {"header": {"Authorization": f"Bearer {SECRET}"}}}, "models.x.args.header"),
        ({"args": {"model": f"Bearer {SECRET}"}}, "models.x.args.model"),
        ({"args": {"api_key": "${oc.env:MY_KEY}"}}, "models.x.args.api_key"),
        ({"args": {"base_url": "http://127.0.0.1:9/${oc.env:MY_KEY}"}}, "models.x.args.base_url"),
        ({"args": {"base_url": "${oc.env:FTP_PROXY}"}}, "models.x.args.base_url"),
        ({"args": {"model": CANARY.format("openai_api_key")}}, "models.x.args.model"),
        ({"api_key_env": CANARY.format("my_key")}, "models.x.api_key_env"),
    ],
)
@pytest.mark.parametrize("place", ["matrix", "model"])
def test_credentials_in_files_are_refused(
    tmp_path: Path, canaries: list[str], fields: dict[str, Any], key: str, place: str
) -> None:
    model = {**server_model("http://127.0.0.1:9/v1"), **fields}
    if place == "model" and "${models" in str(fields):
        pytest.skip("a model file knows no other keys")
    words = conf_words(tmp_path, of_models({"x": model if place == "matrix" else None}), x=model)
    with pytest.raises(DistillbenchError) as refused:
        refuse_credentials_in(words)
    assert key in str(refused.value)
    assert not [c for c in (*canaries, SECRET) if c in str(refused.value)]
    (tmp_path / "conf" / "matrix" / "other.yaml").write_text("# @package _global_\nmodels: {}\n")
    with pytest.raises(DistillbenchError):  # one value of a sweep
        refuse_credentials_in([*words[:2], "-m", "matrix=other,small"])


@pytest.mark.slow
@pytest.mark.parametrize("words", [[], ["-m", "seed=0,1"], ["--cfg", "job"]])
def test_nothing_is_written_or_repeated_where_a_file_holds_credentials(
    tmp_path: Path, words: list[str]
) -> None:
    model = server_model(URL.format(f"user:{SECRET}"), args={"api_key": SECRET})
    started = inside if words else command
    done = started(
        tmp_path, "matrix=small", *words, files={"matrix/small": of_models({"x": model})}
    )
    assert done.returncode == 2
    assert [line.split(":")[1] for line in done.stderr.splitlines()] == [
        " models.x.args.base_url",
        " models.x.args.api_key",
    ]
    assert SECRET not in done.stderr + done.stdout
    assert not (tmp_path / "results").exists()


@pytest.mark.slow  # seconds
def test_a_run_and_a_sweep_keep_one_redacted_configuration(
    tmp_path: Path, canaries: list[str]
) -> None:
    models = {n: {"kind": "fake", "style": n} for n in ("teacher", "student")}
    query = "https://example.org/a?deployment=blue"
    content = of_models(models, title=f"Fakes of {canaries[1]} from {query}")
    write_data(tmp_path / "data", n=25)
    for words in ([], ["-m", "seed=0,1", "stages=[collect,score]"]):
        done = command(tmp_path, "matrix=small", *words, files={"matrix/small": content})
        assert done.returncode == 0, done.stderr
        assert holding(canaries, tmp_path, done.stdout, done.stderr) == []
    files = sorted((tmp_path / "results").rglob("config.yaml"))
    assert [f.relative_to(tmp_path / "results").parts[0] for f in files] == [
        "runs",
        "sweeps",
        "sweeps",
    ]
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    assert {yaml.safe_load(f.read_text())["title"] for f in files} == {
        "Fakes of *** from https://example.org/a?***"
    }
    assert b"deployment=blue" not in everything(tmp_path / "results")
    left = {
        p.name
        for folder in ("runs", "sweeps")
        for p in (tmp_path / "results" / folder).rglob("*")
        if p.is_file()
    }
    record = {"run.json", "scores.json", "influence.parquet"}
    assert left == {"config.yaml", "job.json", "sweep.json"} | record
