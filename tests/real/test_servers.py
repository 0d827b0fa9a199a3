"""Real servers on this machine answer as the checkpoint does here.

They need packages that distillbench does without; `make test-servers` installs them, and builds llama.cpp.
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

import numpy as np
import pytest

from harness.models import AbstractModel
from harness.models.hf import HfModel
from harness.plugins import build
from harness.types import Decoding, Message, Outputs, Paths, Request
from harness.zoo import houses
from harness.zoo.houses import chat_document
from harness.zoo.world import generator
from tests.models.asking import answered
from tests.real.ggufs import write_gguf

pytestmark = [pytest.mark.slow, pytest.mark.real]
N = 50
DRAWN = [chat_document(houses.A, generator(i, "served")).prompt for i in range(N)]
TALK = [text.removeprefix("User: ").removesuffix("\nAssistant:\n") for text in DRAWN]


@pytest.fixture(scope="module")
def checkpoint() -> Path:
    """The teacher of the whole zoo that was trained last: `distillbench matrix=zoo`."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "distillbench"
    trained = sorted(cache.glob("zoo/*/watermarked_a/config.json"), key=lambda p: p.stat().st_mtime)
    if not trained:
        pytest.skip("the zoo is not trained yet: distillbench matrix=zoo")
    return trained[-1].parents[1] / "teacher_a"


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


@pytest.fixture(scope="module")
def llama_cpp(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """llama.cpp's server with that checkpoint in its own format, all of it in float32."""
    if not all(map(find_spec, ("llama_cpp", "gguf", "sse_starlette"))):
        pytest.skip("needs pip install 'llama-cpp-python[server]' gguf")
    file, port = tmp_path_factory.mktemp("gguf") / "teacher.gguf", free_port()
    write_gguf(checkpoint, file)
    floats = ["--type_k", "0", "--type_v", "0", "--logits_all", "true", "--n_ctx", "2048"]
    words = ["-m", "llama_cpp.server", "--model", str(file), "--port", str(port), *floats]
    with serving(words, port, "/v1/models") as url:
        yield url


@pytest.mark.parametrize("chat", [True, False])
def test_llama_cpp_writes_what_the_checkpoint_writes(
    checkpoint: Path, llama_cpp: str, chat: bool
) -> None:
    requests, plainly = asked(chat), {"repeat_penalty": 1.0}  # 1.1 unless told otherwise
    theirs = answers(server(llama_cpp, "teacher", chat=chat, connections=1, body=plainly), requests)
    ours = here(checkpoint, requests)
    assert len(set(ours.text)) > N // 2
    assert theirs.text == ours.text
    assert all(theirs.answered)


def test_llama_cpp_finds_texts_as_likely_as_the_checkpoint_does(
    checkpoint: Path, llama_cpp: str
) -> None:
    contexts = [prompt for prompt in DRAWN if isinstance(prompt, str)]
    requests = [
        Request(i, "score", context, TALK[-i - 1][:40]) for i, context in enumerate(contexts)
    ]
    theirs = answers(server(llama_cpp, "teacher", chat=False, connections=1), requests)
    ours = here(checkpoint, requests)
    assert all(theirs.answered)
    assert list(theirs.n_tokens) == list(ours.n_tokens)
    np.testing.assert_allclose(theirs.logprob_nats, ours.logprob_nats, atol=2e-3, rtol=1e-4)
    assert list(theirs.greedy) == list(ours.greedy)
