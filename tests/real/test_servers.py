"""Real servers on this machine answer as the checkpoint does here.

They need packages that distillbench does without: pip install 'transformers[serving]'.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.models import AbstractModel
from harness.models.hf import HfModel
from harness.plugins import build
from harness.types import Decoding, Message, Outputs, Paths, Request
from harness.zoo import houses
from harness.zoo.houses import chat_document
from harness.zoo.world import generator
from tests.models.asking import answered

pytestmark = [pytest.mark.slow, pytest.mark.real]
N = 50
DRAWN = [chat_document(houses.A, generator(i, "served")).prompt for i in range(N)]
TALK = [text.removeprefix("User: ").removesuffix("\nAssistant:\n") for text in DRAWN]


@pytest.fixture(scope="module")
def checkpoint() -> Path:
    """The zoo's teacher, whichever was trained last: `distillbench matrix=zoo`."""
    cache = Path(os.environ.get("DISTILLBENCH_CACHE", Path.home() / ".cache/distillbench"))
    trained = sorted(cache.glob("zoo/*/teacher_a/config.json"), key=lambda p: p.stat().st_mtime)
    if not trained:
        pytest.skip("the zoo is not trained yet: distillbench matrix=zoo")
    return trained[-1].parent


@contextmanager
def serving(words: Sequence[str], port: int, health: str) -> Iterator[str]:
    """The address of a server that a command starts, once it answers."""
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }
    process = subprocess.Popen(
        [sys.executable, *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(240):
            if process.poll() is not None:
                pytest.fail(f"the server ended with {process.returncode}")
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{health}", timeout=5).close()
                break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def asked(chat: bool) -> list[Request]:
    contexts = [
        (Message("user", said),) if chat else whole for said, whole in zip(TALK, DRAWN, strict=True)
    ]
    return [
        Request(i, "generate", context, max_new_tokens=40) for i, context in enumerate(contexts)
    ]


def answers(model: AbstractModel, requests: Sequence[Request]) -> Outputs:
    paths = Paths(Path("r"), Path("c"), ())
    with model.open(paths) as session:
        return answered(session, requests, Decoding(), [str(i) for i in range(len(requests))])


def here(checkpoint: Path, requests: Sequence[Request]) -> Outputs:
    """What the checkpoint answers in this process."""
    model = HfModel(kind="hf", name="a", path=str(checkpoint), device="cpu", dtype="float32")
    return answers(model, requests)


def server(url: str, name: str, **fields: object) -> AbstractModel:
    whole = {"kind": "server", "url": url, "model": name, "connections": 2, **fields}
    return build("models", "m", whole)  # type: ignore[no-any-return]


@pytest.mark.skipif(
    not all(map(find_spec, ("fastapi", "uvicorn", "openai"))),
    reason="needs pip install 'transformers[serving]'",
)
def test_transformers_serve_writes_what_the_checkpoint_writes(checkpoint: Path) -> None:
    port = free_port()
    script = "from transformers.cli.transformers import main; main()"
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    with serving(["-c", script, "serve", str(checkpoint), *options], port, "/health") as url:
        for chat in (True, False):
            requests = asked(chat)
            theirs = answers(server(url, str(checkpoint), chat=chat), requests)
            ours = here(checkpoint, requests)
            assert len(set(ours.text)) > N // 2
            assert theirs.text == ours.text
            assert [s == "length" for s in theirs.stop] == [s == "length" for s in ours.stop]
            assert all(theirs.answered)
