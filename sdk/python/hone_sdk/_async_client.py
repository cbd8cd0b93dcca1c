"""The client that awaits. ``_sync_client.py`` is made from this file by ``npm run sdk``: change this one."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from types import TracebackType
from typing import IO, Any, cast
from urllib.parse import quote

import httpx

from ._errors import ConnectionFailedError, JobError, ServerError, error_of
from ._request import (
    MIN_PART_BYTES,
    PART_BYTES,
    Event,
    EventParser,
    api_key_of,
    base_url_of,
    is_over,
    is_retried,
    may_repeat,
    once,
    pause_s,
    problem_of,
    query_of,
)
from ._types import Dataset, Graph, Job, Key, Model, NewKey, Report, ReportSummary, Runner, Upload

Bytes = bytes | IO[bytes] | str | os.PathLike[str]
"""Bytes, a binary file, or the path of one."""

_MAX_BREAKS = 8


class AsyncCompressedModel:
    """What ``quantize``, ``prune`` and ``simplify`` hand back: the smaller model, and what the report says of it."""

    def __init__(self, client: AsyncHone, response: httpx.Response) -> None:
        self._client = client
        self.content: bytes = response.content
        """The ONNX file."""
        self.summary = cast(ReportSummary, json.loads(response.headers.get("Hone-Report", "{}")))
        self.report_id: str = response.headers.get("Link", "").partition("/v1/reports/")[2].partition(">")[0]

    def save(self, path: str | os.PathLike[str]) -> None:
        with open(path, "wb") as file:
            file.write(self.content)

    async def report(self) -> Report:
        """Per output and weight: what changed, how close it is, what stayed float and why."""
        return cast(Report, await self._client.json("GET", f"/v1/reports/{self.report_id}"))


class AsyncHone:
    """Hone, the model-optimization API. Answers of 400 and above raise a ``HoneError`` of their kind.

    >>> async with AsyncHone() as hone:
    ...     smaller = await hone.quantize("model.onnx")
    ...     smaller.save("model.smaller.onnx")
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        base_url: str | None = None,
        max_retries: int = 3,
        timeout_s: float = 300.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        """Default key and address: HONE_API_KEY and HONE_URL, else http://127.0.0.1:8787."""
        self._max_retries = max_retries
        self._http = httpx.AsyncClient(
            base_url=base_url_of(base_url),
            headers={"Authorization": f"Bearer {api_key_of(api_key)}", "User-Agent": "hone-sdk-python"},
            timeout=httpx.Timeout(timeout_s, connect=10.0),
            transport=transport,
        )
        self.models = AsyncModels(self)
        self.jobs = AsyncJobs(self)
        self.datasets = AsyncDatasets(self)
        self.keys = AsyncKeys(self)

    async def __aenter__(self) -> AsyncHone:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def quantize(self, model: Bytes, **options: Any) -> AsyncCompressedModel:
        """Model in, smaller model out; options by the API's names (``method="weight_only", bits=4``)."""
        return await self._compress("quantize", model, options)

    async def prune(self, model: Bytes, **options: Any) -> AsyncCompressedModel:
        """Model in, sparse model out; options by the API's names (``method="l1_unstructured", amount=0.5``)."""
        return await self._compress("prune", model, options)

    async def simplify(self, model: Bytes, **options: Any) -> AsyncCompressedModel:
        """Model in, a model of fewer nodes and the same answers out; options by the API's names."""
        return await self._compress("simplify", model, options)

    async def train(self, **options: Any) -> Job:
        """Starts a training job; options by the API's names (``model=…, dataset=…, world_size=4``)."""
        return cast(Job, await self.json("POST", "/v1/training-jobs", json=options, headers=once()))

    async def runners(self) -> list[Runner]:
        return cast(list[Runner], (await self.json("GET", "/v1/runners"))["data"])

    async def report(self, report_id: str) -> Report:
        return cast(Report, await self.json("GET", f"/v1/reports/{report_id}"))

    async def json(self, method: str, path: str, **arguments: Any) -> Any:
        """Any call of the API, its answer as JSON."""
        response = await self.request(method, path, **arguments)
        return response.json() if response.content else None

    async def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Any call of the API; repeated where that is safe: reads always, POST with an Idempotency-Key."""
        headers = arguments.get("headers") or {}
        tries = self._max_retries + 1 if may_repeat(method, headers) else 1
        for attempt in range(1, tries + 1):
            try:
                response = await self._http.request(method, path, **arguments)
            except httpx.TransportError as error:
                if attempt == tries:
                    raise ConnectionFailedError(f"{method} {path}: no answer ({error})") from error
                await asyncio.sleep(pause_s(attempt, None))
                continue
            if attempt < tries and is_retried(response.status_code, response.headers):
                await asyncio.sleep(pause_s(attempt, response.headers.get("Retry-After")))
                continue
            if response.status_code >= 400:
                raise error_of(
                    response.status_code, problem_of(response.content), response.headers.get("Request-Id")
                )
            return response
        raise AssertionError("unreachable")

    async def pages(self, path: str, limit: int | None = None) -> AsyncIterator[Any]:
        """The entries of a list, page after page."""
        cursor: str | None = None
        while True:
            query = {"limit": limit, "cursor": cursor}
            params = {name: value for name, value in query.items() if value is not None}
            answer = await self.json("GET", path, params=params)
            for entry in answer["data"]:
                yield entry
            cursor = answer["next_cursor"]
            if cursor is None:
                return

    async def _compress(self, operation: str, model: Bytes, options: Mapping[str, Any]) -> AsyncCompressedModel:
        response = await self.request(
            "POST", f"/v1/{operation}", params=query_of(options), content=read_all(model), headers=_BINARY
        )
        return AsyncCompressedModel(self, response)


class AsyncModels:
    """Stored models: sent in, listed, compressed by jobs, fetched."""

    def __init__(self, client: AsyncHone) -> None:
        self._client = client

    async def create(self, model: Bytes, *, name: str | None = None) -> Model:
        """Stores a model that fits one request."""
        params = {} if name is None else {"name": name}
        headers = {**_BINARY, **once()}
        return cast(
            Model,
            await self._client.json("POST", "/v1/models", params=params, content=read_all(model), headers=headers),
        )

    async def upload(
        self,
        model: Bytes,
        *,
        external: Mapping[str, Bytes] | None = None,
        name: str | None = None,
        resume: str | None = None,
        part_bytes: int = PART_BYTES,
        on_start: Callable[[str], None] | None = None,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Model:
        """Stores a model of any size, with its external data files by location, in parts.

        ``resume`` takes the id that ``on_start`` told of an upload that was cut off: parts that arrived are not sent again.
        """
        if part_bytes < MIN_PART_BYTES:
            raise ValueError(f"hone: part_bytes is {part_bytes}, at least {MIN_PART_BYTES} are needed")
        if resume is None:
            body = {} if name is None else {"name": name}
            upload = await self._client.json("POST", "/v1/uploads", json=body, headers=once())
        else:
            upload = await self._client.json("GET", f"/v1/uploads/{resume}")
        upload = cast(Upload, upload)
        if on_start:
            on_start(upload["id"])
        arrived = {(file["location"], part["number"]) for file in upload["files"] for part in file["parts"]}
        files = {"": model, **(external or {})}
        total = sum(byte_length(data) for data in files.values())
        sent = 0
        for location, data in files.items():
            for number, part in enumerate(parts_of(data, part_bytes), start=1):
                if (location, number) not in arrived:
                    await self._client.request(
                        "PUT",
                        f"/v1/uploads/{upload['id']}/parts/{number}",
                        params={"location": location} if location else {},
                        content=part,
                        headers=_BINARY,
                    )
                sent += len(part)
                if on_progress:
                    on_progress(sent, total)
        path = f"/v1/uploads/{upload['id']}/complete"
        return cast(Model, await self._client.json("POST", path, headers=once(f"complete-{upload['id']}")))

    async def import_url(self, url: str) -> Model:
        """Has the service fetch a model from a public address."""
        return cast(Model, await self._client.json("POST", "/v1/models", json={"url": url}, headers=once()))

    async def get(self, model_id: str) -> Model:
        return cast(Model, await self._client.json("GET", f"/v1/models/{model_id}"))

    def list(self, *, limit: int | None = None) -> AsyncIterator[Model]:
        """Newest first, page after page."""
        return self._client.pages("/v1/models", limit)

    async def delete(self, model_id: str) -> None:
        await self._client.request("DELETE", f"/v1/models/{model_id}")

    async def graph(self, model_id: str) -> Graph:
        return cast(Graph, await self._client.json("GET", f"/v1/models/{model_id}/graph"))

    async def content(self, model_id: str, *, location: str | None = None) -> bytes:
        """The ONNX file, or an external data file of it."""
        path = f"/v1/models/{model_id}/"
        path += "content" if location is None else f"files/{quote(location, safe='')}"
        return (await self._client.request("GET", path)).content

    async def quantize(self, model_id: str, **options: Any) -> Job:
        """Starts a job whose result is a new model."""
        return await self._order(model_id, "quantize", options)

    async def prune(self, model_id: str, **options: Any) -> Job:
        """Starts a job whose result is a new model."""
        return await self._order(model_id, "prune", options)

    async def simplify(self, model_id: str, **options: Any) -> Job:
        """Starts a job whose result is a new model."""
        return await self._order(model_id, "simplify", options)

    async def benchmark(self, model_id: str, **options: Any) -> Job:
        """Starts a job that times the model, on a runner or in the Worker."""
        return await self._order(model_id, "benchmark", options)

    async def _order(self, model_id: str, operation: str, options: Mapping[str, Any]) -> Job:
        path = f"/v1/models/{model_id}/{operation}"
        return cast(Job, await self._client.json("POST", path, json=options, headers=once()))


class AsyncJobs:
    """Jobs: followed, waited for, canceled."""

    def __init__(self, client: AsyncHone) -> None:
        self._client = client

    async def get(self, job_id: str) -> Job:
        return cast(Job, await self._client.json("GET", f"/v1/jobs/{job_id}"))

    def list(self, *, limit: int | None = None) -> AsyncIterator[Job]:
        """Newest first, page after page."""
        return self._client.pages("/v1/jobs", limit)

    async def cancel(self, job_id: str) -> Job:
        return cast(Job, await self._client.json("POST", f"/v1/jobs/{job_id}/cancel"))

    async def events(self, job_id: str) -> AsyncIterator[Event]:
        """The job's events from the first on, each once, also across broken lines, until the job is over."""
        last: str | None = None
        breaks = 0
        while True:
            headers = {} if last is None else {"Last-Event-ID": last}
            try:
                async with self._client._http.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as response:
                    if response.status_code >= 400:
                        body = await response.aread()
                        raise error_of(response.status_code, problem_of(body), response.headers.get("Request-Id"))
                    parser = EventParser()
                    async for line in response.aiter_lines():
                        for event in parser.feed(line):
                            breaks = 0
                            last = event.id or last
                            yield event
                            if event.type == "state" and is_over(event.data):
                                return
            except (httpx.TransportError, ServerError) as error:
                if breaks >= _MAX_BREAKS:
                    raise ConnectionFailedError("the events end before the job does") from error
            breaks += 1
            if breaks > _MAX_BREAKS:
                raise ConnectionFailedError("the events end before the job does")
            await asyncio.sleep(pause_s(breaks, None))

    async def wait(self, job_id: str, *, on_event: Callable[[Event], None] | None = None) -> Job:
        """Waits until the job has succeeded; raises ``JobError`` when it failed or was canceled."""
        async for event in self.events(job_id):
            if on_event:
                on_event(event)
        job = await self.get(job_id)
        if job["state"] != "succeeded":
            raise JobError(cast(dict[str, Any], job))
        return job


class AsyncDatasets:
    """Rows to train on."""

    def __init__(self, client: AsyncHone) -> None:
        self._client = client

    async def create(self, data: Bytes, **options: Any) -> Dataset:
        """Stores npz, npy, safetensors, CSV or Parquet; options by the API's names (``name``, ``fields``, …)."""
        headers = {**_BINARY, **once()}
        return cast(
            Dataset,
            await self._client.json(
                "POST", "/v1/datasets", params=query_of(options), content=read_all(data), headers=headers
            ),
        )

    async def get(self, dataset_id: str) -> Dataset:
        return cast(Dataset, await self._client.json("GET", f"/v1/datasets/{dataset_id}"))

    def list(self, *, limit: int | None = None) -> AsyncIterator[Dataset]:
        """Newest first, page after page."""
        return self._client.pages("/v1/datasets", limit)

    async def delete(self, dataset_id: str) -> None:
        await self._client.request("DELETE", f"/v1/datasets/{dataset_id}")


class AsyncKeys:
    """API keys of the workspace."""

    def __init__(self, client: AsyncHone) -> None:
        self._client = client

    async def create(self, name: str) -> NewKey:
        """The answer has the secret, this once."""
        return cast(NewKey, await self._client.json("POST", "/v1/keys", json={"name": name}))

    def list(self, *, limit: int | None = None) -> AsyncIterator[Key]:
        return self._client.pages("/v1/keys", limit)

    async def delete(self, key_id: str) -> None:
        await self._client.request("DELETE", f"/v1/keys/{key_id}")


_BINARY = {"Content-Type": "application/octet-stream"}


def read_all(data: Bytes) -> bytes:
    if isinstance(data, bytes):
        return data
    if isinstance(data, (str, os.PathLike)):
        with open(data, "rb") as file:
            return file.read()
    return data.read()


def byte_length(data: Bytes) -> int:
    if isinstance(data, bytes):
        return len(data)
    if isinstance(data, (str, os.PathLike)):
        return os.stat(data).st_size
    at = data.tell()
    size = data.seek(0, os.SEEK_END)
    data.seek(at)
    return size - at


def parts_of(data: Bytes, size: int) -> Any:
    """The data in parts of ``size`` bytes, a file read part by part."""
    if isinstance(data, bytes):
        yield from (data[at : at + size] for at in range(0, len(data), size))
    elif isinstance(data, (str, os.PathLike)):
        with open(data, "rb") as file:
            yield from iter(lambda: file.read(size), b"")
    else:
        yield from iter(lambda: data.read(size), b"")
