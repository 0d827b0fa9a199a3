"""Servers asked by batch: a file of requests is handed in once, and its results are taken up by a later run.

    results/batches/<model>/0001.requests.jsonl   what the provider gets, a request a line
    results/batches/<model>/0001.json             its id there; {} = it was about to be handed in
    results/batches/<model>/0001.results.jsonl    what came back; may also be put there by hand

Sources: OpenAI's Batch API (platform.openai.com/docs/guides/batch), Anthropic's Message Batches API.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, final

from harness.console.foreign import notify
from harness.models._batches import slices
from harness.models._budget import Purse, Spent
from harness.models._server_faults import Fault, fault_inside, fault_of_status
from harness.models._server_http import Connection
from harness.models._server_session import Identity, ServerRow, rows_of
from harness.models._server_tries import Clock, Tries
from harness.models._server_wire import Api, Wire
from harness.models._session import AbstractSession, Answered, Ask, Facts, Failed
from harness.store.drafts import write_whole
from harness.types import DistillbenchError

# of one file; both providers take a little more
_MOST_REQUESTS, _MOST_BYTES = 50_000, 190_000_000


class Line(NamedTuple):
    """One request of a file."""

    path: str  # endpoint behind the address
    text: str


@dataclasses.dataclass(frozen=True)
class Batch:
    """One file of requests, and what became of it."""

    requests: Path

    @property
    def number(self) -> str:
        """Its name."""
        return self.requests.name.partition(".")[0]

    @property
    def state(self) -> Path:
        """The file with its id at the provider."""
        return self.requests.with_name(f"{self.number}.json")

    @property
    def results(self) -> Path:
        """The file with what came back."""
        return self.requests.with_name(f"{self.number}.results.jsonl")

    def ids(self) -> list[str]:
        """The ids of its requests."""
        return [json.loads(line)["custom_id"] for line in _lines(self.requests)]

    def provider_id(self) -> str:
        """Its id at the provider; "" = it was not handed in.

        Raises DistillbenchError where a run was stopped while it handed it in, so that nobody knows.
        """
        if not self.state.exists():
            return ""
        known = json.loads(self.state.read_text("utf-8"))
        if not known.get("id"):
            raise DistillbenchError(
                f"{self.state}: an earlier run stopped while it handed in {self.requests.name}; look at the provider's "
                'list of batches and write its id here, as {"id": "..."}, or delete this file to hand it in again'
            )
        return str(known["id"])


@final
class Provider:
    """A provider's batch interface."""

    def __init__(self, api: Api, connection: Connection, tries: Tries) -> None:
        self._api, self._connection, self._tries = api, connection, tries

    def line(self, custom_id: str, path: str, body: Mapping[str, Any]) -> str:
        """A request as its file has it."""
        if self._api == "anthropic":
            return json.dumps({"custom_id": custom_id, "params": body})
        url = self._connection.path + path
        return json.dumps({"custom_id": custom_id, "method": "POST", "url": url, "body": body})

    def submit(self, batch: Batch) -> None:
        """Hands a file in, once; raises Fault."""
        path, body = self._request(batch)
        write_whole(batch.state, b"{}")
        try:
            made = _id_of(self._connection.post(path, body))
        except Fault as fault:
            if fault.is_gone or fault.refused:  # it did not come in, for sure
                batch.state.unlink()
            raise
        write_whole(batch.state, json.dumps({"id": made}).encode())

    def _request(self, batch: Batch) -> tuple[str, dict[str, Any]]:
        """Where a batch is made, and of what; OpenAI gets the file first."""
        if self._api == "anthropic":
            requests = [json.loads(line) for line in _lines(batch.requests)]
            return "/messages/batches", {"requests": requests}
        name, content = batch.requests.name, batch.requests.read_bytes()
        purpose = {"purpose": "batch"}
        file = self._tries.ask(lambda: self._connection.upload("/files", purpose, name, content))
        endpoint = json.loads(next(_lines(batch.requests)))["url"]
        fields = {"input_file_id": _id_of(file), "endpoint": endpoint, "completion_window": "24h"}
        return "/batches", fields

    def fetch(self, batch: Batch, provider_id: str) -> str:
        """The state of a batch in the provider's word; its results are stored where it has ended. Raises Fault."""
        if self._api == "anthropic":
            path = f"/messages/batches/{provider_id}"
            state = self._get(path)
            word, files = str(state.get("processing_status")), [f"{path}/results"]
            ended = word == "ended"
        else:
            state = self._get(f"/batches/{provider_id}")
            word = str(state.get("status"))
            ids = [state.get(n) for n in ("output_file_id", "error_file_id")]
            files = [f"/files/{i}/content" for i in ids if i]
            ended = word in ("completed", "expired", "cancelled")
            if word == "failed":
                raise Fault(
                    f"refuses {batch.requests}; see its page for the reason, and delete {batch.state.name} and "
                    f"{batch.requests.name} to hand it in again", "stop"
                )  # fmt: skip
        if ended:
            parts = [self._tries.ask(lambda f=f: self._connection.download(f)) for f in files]  # type: ignore[misc]
            write_whole(batch.results, b"\n".join(parts))
        return word

    def _get(self, path: str) -> dict[str, Any]:
        return self._tries.ask(lambda: self._connection.get(path))

    def content(self, result: Mapping[str, Any]) -> Mapping[str, Any]:
        """The response inside of a result; raises Fault where it is none."""
        if self._api == "anthropic":
            return _message(result.get("result"))
        response = result.get("response")
        if not isinstance(response, Mapping):
            raise Fault("gave no response to it", "again")
        body = response.get("body")
        status = response.get("status_code", 200)
        fault = fault_of_status(status if type(status) is int else 500, {}, body)
        if fault := fault or fault_inside(body):
            raise fault
        return dict(body or {})


def _id_of(made: Mapping[str, Any]) -> str:
    if not made.get("id"):
        raise Fault("answers without an id", "stop")
    return str(made["id"])


def _message(result: Any) -> Mapping[str, Any]:
    """The message of a result of Anthropic's."""
    result = result if isinstance(result, Mapping) else {}
    if result.get("type") == "succeeded" and isinstance(result.get("message"), Mapping):
        return dict(result["message"])
    error = result.get("error")
    error = error.get("error", error) if isinstance(error, Mapping) else {}
    refused = isinstance(error, Mapping) and error.get("type") == "invalid_request_error"
    raise (
        Fault("answers an error (invalid_request_error)", "missing")
        if refused
        else Fault("gave no response to it", "again")
    )


@final
class BatchSession(AbstractSession):
    """A server that is asked by batch."""

    journaled = True
    together = True

    def __init__(
        self, wire: Wire, connection: Connection, host: str, folder: Path, identity: Identity,
        facts: Facts, *, key: str | None
    ) -> None:  # fmt: skip
        # key: the variable with the API key where it is set; None = files are only written and read
        self._wire, self._host, self._folder, self._key = wire, host, folder, key
        self._identity, self._facts, self._purse = identity, facts, Purse()
        tries = Tries(wire.name, host, 8, self._purse, Clock())
        self._provider = Provider(wire.api, connection, tries)

    def spend_from(self, purse: Purse) -> None:
        """Sets what the run may still spend."""
        self._purse = purse

    def batches(self, ask: Ask) -> list[list[int]]:
        """All of it at once."""
        return slices(len(ask.requests), max(1, len(ask.requests)))

    def facts(self) -> Facts:
        """Address and name of the model, and what the server says of itself."""
        return {**self._facts, **self._identity.facts()}

    def answer(self, asks: Sequence[Ask]) -> Iterator[Answered | Failed]:
        """What has come of earlier batches; what is in none is handed in, and pending."""
        wanted = {_custom_id(row): row for row in rows_of(asks)}
        try:
            for batch in self._known():
                yield from self._taken(batch, wanted)
            if wanted:
                self._hand_in(wanted)
        except (Fault, Spent) as fault:
            error = DistillbenchError(f"model {self._wire.name}: {self._host} {fault}")
            yield from (Failed(ask.key, error) for ask in asks)
        except DistillbenchError as error:
            yield from (Failed(ask.key, error) for ask in asks)

    def _known(self) -> list[Batch]:
        return [Batch(path) for path in sorted(self._folder.glob("*.requests.jsonl"))]

    def _taken(self, batch: Batch, wanted: dict[str, ServerRow]) -> Iterator[Answered]:
        """The answers of a batch to what is wanted; what it answers, or may still answer, is wanted no more."""
        own = wanted.keys() & set(batch.ids())
        if not own:
            return
        if not batch.results.exists():
            self._look_after(batch, len(own))
        if not batch.results.exists():
            for name in own:
                del wanted[name]
            return
        for line in _lines(batch.results):
            result = _result(line, batch.results)
            row = wanted.get(str(result.get("custom_id")))
            if row is not None and (came := self._answered(row, result)) is not None:
                del wanted[str(result["custom_id"])]
                yield came

    def _look_after(self, batch: Batch, n: int) -> None:
        """Hands a batch in, or asks how far it is; says so."""
        name, provider_id = self._wire.name, batch.provider_id()
        if provider_id and self._key:
            word = self._provider.fetch(batch, provider_id)
            notify(f"{name}: batch {provider_id} ({n} requests) is {word}")
        elif self._key:
            self._provider.submit(batch)
            notify(f"{name}: handed in {batch.requests} ({n} requests); come back for the answers")
        else:
            notify(
                f"{name}: {batch.requests} ({n} requests) is to be handed in: set the API key (api_key_env) and repeat "
                f"the command, or put what the provider returns beside it as {batch.results.name}"
            )

    def _answered(self, row: ServerRow, result: Mapping[str, Any]) -> Answered | None:
        """The answer in a result; None where the request is to be handed in again."""
        told: Mapping[str, str | int | float] = {}
        try:
            content = self._provider.content(result)
            told = self._wire.told(content)
            self._purse.pay(float(told.get("usd", 0.0)))
            reply = self._wire.reply(row.request, content)
        except Fault as fault:
            # an answer without a text was paid for: once is enough
            lost = fault.effect == "missing" or fault.paid
            return row.missing(str(fault), told, 0.0) if lost else None
        self._identity.check(reply)
        return row.answered(reply.row, reply.told, 0.0)

    def _hand_in(self, wanted: Mapping[str, ServerRow]) -> None:
        """Writes files of requests and hands them in."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for text in _files([self._line(name, row) for name, row in wanted.items()]):
            number = 1 + max((int(b.number) for b in self._known()), default=0)
            path = self._folder / f"{number:04d}.requests.jsonl"
            write_whole(path, text.encode())
            self._look_after(Batch(path), text.count("\n"))

    def _line(self, name: str, row: ServerRow) -> Line:
        self._purse.take()
        question = self._wire.question(row.request, row.ask.prompt_ids[row.at], row.ask.decoding)
        return Line(question.path, self._provider.line(name, question.path, question.body) + "\n")


def _custom_id(row: ServerRow) -> str:
    """The name of a request in files: the same whenever it is asked."""
    return f"{row.ask.key[:32]}-{row.at}"


def _files(lines: Sequence[Line]) -> Iterator[str]:
    """The lines as files of one endpoint each, none too large."""
    for path in sorted({line.path for line in lines}):
        texts: list[str] = []
        size = 0
        for line in lines:
            if line.path != path:
                continue
            if texts and (len(texts) == _MOST_REQUESTS or size + len(line.text) > _MOST_BYTES):
                yield "".join(texts)
                texts, size = [], 0
            texts.append(line.text)
            size += len(line.text)
        yield "".join(texts)


def _lines(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8") as file:
        yield from (line for line in file if line.strip())


def _result(line: str, path: Path) -> Mapping[str, Any]:
    try:
        result = json.loads(line)
    except ValueError:
        result = None
    if not isinstance(result, Mapping) or "custom_id" not in result:
        raise DistillbenchError(
            f"{path}: expected a JSON object with custom_id in every line, as the provider returns them; got another"
        )
    return result
