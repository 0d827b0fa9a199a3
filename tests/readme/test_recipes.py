"""Recipes: what other programs write or serve is read by the key that the table names; the others run as they stand."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import json
import os
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.files.hub import hub_path
from harness.models import AbstractModel
from harness.models.hf import HfModel
from harness.plugins import build
from harness.types import Decoding, Message, Paths, Request
from tests.core.running import REPOSITORY
from tests.files.test_formats import EXAMPLES
from tests.models.asking import answered
from tests.models.tiny import byte_tokenizer, save_adapter, save_llama
from tests.readme import stand_ins
from tests.readme.blocks import blocks

RECIPES = REPOSITORY / "docs/recipes"
TABLE = (RECIPES / "index.md").read_text()
ASKED = "Name a tree."


def rows() -> list[tuple[str, dict[str, Any]]]:
    """(program, a model of the matrix) of every row of the table, a row with two models twice."""
    found = []
    for line in TABLE.splitlines():
        if line.startswith("| ") and (models := re.findall(r"`(\{kind: .*?\})`", line)):
            program = re.sub(r"\[|\]\(.*?\)|\(|\)|recipe", "", line.split("|")[1]).strip()
            found += [(program, yaml.safe_load(m)) for m in models]
    return found


def of(kind: str) -> list[Any]:
    return [
        pytest.param(p, m, id=f"{p} {i}") for i, (p, m) in enumerate(rows()) if m["kind"] == kind
    ]


def test_the_table_has_the_programs_that_people_use() -> None:
    programs = {program for program, _ in rows()}
    assert programs >= {"TRL", "peft", "axolotl", "LLaMA-Factory", "ms-swift", "Tinker", "vLLM", "SGLang",
                        "transformers", "llama.cpp", "Amazon Bedrock", "OpenAI", "the hub"}  # fmt: skip
    assert len(rows()) == len(of("hf")) + len(of("recorded")) + len(of("server"))


# --- checkpoints --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base, adapters and whole checkpoints in folders as trainers name them."""
    place, tokenizer = tmp_path_factory.mktemp("trained"), byte_tokenizer()
    for seed, name in enumerate(
        ("BASE", "OUTPUT/checkpoint-100", "OUTPUT/checkpoint-200", "outputs/merged")
    ):
        save_llama(place / name, tokenizer, seed=seed)
    for name in ("FOLDER", "outputs/checkpoint-100"):
        save_adapter(place / name, base="BASE")
    shutil.copy(place / "BASE/config.json", place / "outputs/checkpoint-100/trainer_state.json")
    return place


@pytest.mark.parametrize(("program", "fields"), of("hf"))
def test_a_checkpoint_answers(
    program: str, fields: dict[str, Any], trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from harness.cli.checkpoints import series_in

    monkeypatch.chdir(trained)
    series = series_in([({"models": {"m": fields}}, [])])
    assert (series is None) == ("*" not in str(fields))
    if series:
        fields = {**fields, series.field: series.whole()[-1]}
    model = build("models", "m", {**fields, "device": "cpu"})
    assert isinstance(model, HfModel)
    assert model.faults(Paths(Path(), Path())) == []
    assert said(model, Request(0, "generate", "Say:", max_new_tokens=3)) is not None


def said(model: AbstractModel, request: Request) -> str | None:
    paths = Paths(Path("r"), Path("c"), data=Path())
    with model.open(paths) as session:
        outputs = answered(session, [request], Decoding())
    return outputs.text[0] if outputs.answered[0] else None


# --- files --------------------------------------------------------------------------------------

_TURNS = [{"role": "user", "content": ASKED}]
_BATCH = {"custom_id": "r1", "body": {"messages": _TURNS}}
_SWIFT = {
    "response": "Oak", "labels": None, "logprobs": None,
    "messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": "Oak"}],
}  # fmt: skip
FILES: Mapping[str, Mapping[str, list[dict[str, Any]]]] = {
    "LLaMA-Factory": {"generated_predictions.jsonl": [
        {"prompt": f"<|im_start|>user\n{q}<|im_end|>\n<|im_start|>assistant\n", "predict": a, "label": "Elm"}
        for q, a in ((ASKED, "Oak"), ("Name a bird.", "Wren"))]},
    "ms-swift": {"result.jsonl": [_SWIFT]},
    "Tinker": {"trajectories.jsonl": EXAMPLES["tinker_trajectories"][0][:1]},
    "vLLM": {"requests.jsonl": [_BATCH], "results.jsonl": EXAMPLES["openai_batch"][0][:1]},
    "Amazon Bedrock": {"log.jsonl": [{**row, "modelId": "MODEL"} for row in EXAMPLES["bedrock_log"][0][4:5]]},
    "OpenAI": {"completions.jsonl": EXAMPLES["openai_stored"][0][:1],
               "asked.jsonl": [{"id": "chatcmpl-1", "messages": _TURNS}]},
    "the hub": {"PATH": []},
}  # fmt: skip


@pytest.mark.parametrize(("program", "fields"), of("recorded"))
def test_a_file_is_read(
    program: str, fields: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, content in FILES[program].items():
        Path(name).write_text("".join(json.dumps(row) + "\n" for row in content))
    if program == "the hub":  # tests/files/test_hub.py has the cache of one
        from huggingface_hub import constants

        revision = "a" * 40
        place = tmp_path / f"hub/datasets--OWNER--NAME/snapshots/{revision}"
        place.mkdir(parents=True)
        (place / "PATH.jsonl").write_text(json.dumps({"prompt": ASKED, "response": "Oak"}) + "\n")
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        hub_path.cache_clear()
        fields = {
            "kind": "recorded",
            "file": fields["file"].replace("REVISION", revision) + ".jsonl",
        }
    model = build("models", "m", fields)
    assert model.faults(Paths(Path("r"), Path("c"), data=Path())) == []
    context = (Message("user", ASKED),) if fields.get("chat") else ASKED
    text = said(model, Request(0, "generate", context))
    assert text is not None
    assert text.removesuffix("<|im_end|>").endswith("Yew" if program == "Amazon Bedrock" else "Oak")


# --- servers ------------------------------------------------------------------------------------

_CHAT = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "usage": {"prompt_tokens": 4, "completion_tokens": 1},
}
_MESSAGE = {"role": "assistant", "content": "Oak"}
SERVED: Mapping[str, dict[str, Any]] = {
    "vLLM": {"prompt_logprobs": None, "kv_transfer_params": None, "choices": [
        {"index": 0, "message": {**_MESSAGE, "reasoning_content": None, "tool_calls": []}, "logprobs": None,
         "finish_reason": "stop", "stop_reason": None}]},
    "SGLang": {"metadata": {"weight_version": "default"}, "choices": [
        {"index": 0, "message": {**_MESSAGE, "reasoning_content": None, "tool_calls": None}, "logprobs": None,
         "finish_reason": "stop", "matched_stop": 128009}]},
    "transformers": {"system_fingerprint": "", "choices": [
        {"index": 0, "message": _MESSAGE, "finish_reason": "stop"}]},
    "llama.cpp": {"timings": {"predicted_n": 1}, "choices": [
        {"index": 0, "message": _MESSAGE, "logprobs": None, "finish_reason": "stop"}]},
}  # fmt: skip


@contextlib.contextmanager
def serving(body: Mapping[str, Any]) -> Iterator[str]:
    """The address of a server that answers everything with this body and the model's own name."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/v1/chat/completions"
            data = json.dumps({**_CHAT, "model": sent["model"], **body}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: Any) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("program", "fields"), of("server"))
def test_a_server_is_asked(program: str, fields: dict[str, Any]) -> None:
    with serving(SERVED[program]) as address:
        url = re.sub(r"http://[\d.:]+", address, fields["url"])
        model = build("models", "m", {**fields, "url": url})
        assert (
            said(model, Request(0, "generate", (Message("user", ASKED),), max_new_tokens=4))
            == "Oak"
        )


# --- pages --------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.md")), ids=lambda p: p.stem)
def test_yaml_in_recipes_describes_models(path: Path) -> None:
    for block in blocks(path.read_text()):
        if block.language == "yaml":
            for name, fields in yaml.safe_load(block.text)["models"].items():
                assert build("models", name, fields)
        for command in block.commands:
            assert (
                not command.startswith("distillbench")
                or "matrix=" in command
                or "compare" in command
            )


@pytest.mark.slow  # a whole run, and a kernel of its own
def test_the_notebook_runs_on_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbformat = pytest.importorskip("nbformat", reason="needs the extra `docs`")
    nbclient = pytest.importorskip("nbclient", reason="needs the extra `docs`")
    pytest.importorskip("ipykernel", reason="needs the extra `docs`")
    for block in blocks():
        if block.section == "One file for several models" and block.file:
            place = tmp_path / block.file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(block.text)
    for command in (
        "python make_answers.py",
        "distillbench --config-dir my_conf matrix=recorded paths.data=.",
    ):
        done = stand_ins.run(tmp_path, command)
        assert done.returncode == 0, done.stderr
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    notebook = nbformat.read(RECIPES / "notebook.ipynb", as_version=4)
    nbformat.validate(notebook)
    nbclient.NotebookClient(
        notebook, timeout=120, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    shown = [o for c in notebook.cells for o in c.get("outputs", [])]
    drawn = [o for o in shown if "application/vnd.plotly.v1+json" in o.get("data", {})]
    assert len(drawn) == 2
    assert any("style_transfer_low" in o.get("data", {}).get("text/html", "") for o in shown)


@pytest.mark.slow
@pytest.mark.real  # a training of a minute
def test_a_student_that_trl_trained_has_a_page(tmp_path: Path) -> None:
    if importlib.util.find_spec("trl") is None:
        pytest.skip("needs pip install trl")
    cache = Path(os.environ.get("DISTILLBENCH_CACHE", Path.home() / ".cache/distillbench"))
    trained = sorted(cache.glob("zoo/*/logits_a/config.json"), key=lambda p: p.stat().st_mtime)
    if not trained:
        pytest.skip("needs the zoo: make demo")
    zoo = trained[-1].parents[1]
    shutil.copytree(zoo / "base", tmp_path / "base")
    shutil.copytree(zoo / "teacher_a", tmp_path / "teacher")
    shutil.copy(REPOSITORY / "tasks/zoo/facts.jsonl", tmp_path / "prompts.jsonl")
    for block in blocks((RECIPES / "trl.md").read_text()):
        if block.file:
            place = tmp_path / block.file
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(block.text)
    for command in ("python train.py", "distillbench --config-dir my_conf matrix=trl"):
        assert f"$ {command}\n" in (RECIPES / "trl.md").read_text()
        done = stand_ins.run(tmp_path, command)
        assert done.returncode == 0, done.stderr
    with (tmp_path / "results/report/scores.csv").open() as file:
        found = {
            r["models.student.path"]: float(r["value"])
            for r in csv.DictReader(file)
            if r["metric"] == "capability_transfer" and r["value"] and r["student"] == "student"
        }
    assert found["runs/checkpoint-300"] > found["runs/checkpoint-100"]
    assert found["runs/checkpoint-300"] > 0.05
