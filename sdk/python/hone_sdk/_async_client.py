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
from ._types import (
    AuditEntry,
    Dataset,
    Graph,
    Hook,
    HookDelivery,
    HookReceipt,
    Job,
    Key,
    Model,
    NewHook,
    NewKey,
    NewWebhookEndpoint,
    Recipe,
    Report,
    ReportSummary,
    Runner,
    Upload,
    Usage,
    WebhookDelivery,
    WebhookEndpoint,
    Workspace,
)

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
        self.recipes = AsyncRecipes(self)
        self.hooks = AsyncHooks(self)
        self.webhook_endpoints = AsyncWebhookEndpoints(self)
        self.keys = AsyncKeys(self)
        self.workspace = AsyncOwnWorkspace(self)

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
        """All that are connected, or were in the last day."""
        return [runner async for runner in self.pages("/v1/runners")]

    async def report(self, report_id: str) -> Report:
        return cast(Report, await self.json("GET", f"/v1/reports/{report_id}"))

    async def json(self, method: str, path: str, **arguments: Any) -> Any:
        """Any call of the API, its answer as JSON."""
        response = await self.request(method, path, **arguments)
        return response.json() if response.content else None

    async def request(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        """Any call of the API; repeated where that is safe: a POST gets an Idempotency-Key."""
        headers = dict(arguments.pop("headers", None) or {})
        if method == "POST" and "Idempotency-Key" not in headers:
            headers |= once()
        tries = self._max_retries + 1 if may_repeat(method, headers) else 1
        for attempt in range(1, tries + 1):
            try:
                response = await self._http.request(method, path, headers=headers, **arguments)
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

    async def pages(self, path: str, limit: int | None = None, **further: Any) -> AsyncIterator[Any]:
        """The entries of a list, page after page."""
        cursor: str | None = None
        while True:
            query = {**further, "limit": limit, "cursor": cursor}
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

    async def optimize(self, model_id: str, **options: Any) -> Job:
        """Carries out a recipe, its steps or a search, as one job."""
        return await self._order(model_id, "optimize", options)

    async def evaluate(self, model_id: str, **options: Any) -> Job:
        """Measures the model on a dataset, as a job."""
        return await self._order(model_id, "evaluate", options)

    async def calibrate(self, model_id: str, **options: Any) -> Job:
        """Starts a job that finds the ranges of the model's values."""
        return await self._order(model_id, "calibrate", options)

    async def verify(self, model_id: str, **options: Any) -> Job:
        """Compares the model's answers with those of the model that it was made of, or of ``original``."""
        return await self._order(model_id, "verify", options)

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


class AsyncRecipes:
    """Steps on a model, stored under a name in versions; ``models.optimize`` carries them out."""

    def __init__(self, client: AsyncHone) -> None:
        self._client = client

    async def create(self, **recipe: Any) -> Recipe:
        return cast(Recipe, await self._client.json("POST", "/v1/recipes", json=recipe))

    async def get(self, recipe_id: str) -> Recipe:
        return cast(Recipe, await self._client.json("GET", f"/v1/recipes/{recipe_id}"))

    def list(self, *, limit: int | None = None) -> AsyncIterator[Recipe]:
        return self._client.pages("/v1/recipes", limit)

    async def delete(self, recipe_id: str) -> None:
        await self._client.request("DELETE", f"/v1/recipes/{recipe_id}")


class AsyncHooks:
    """Signed webhooks in, which start a recipe."""

    def __init__(self, client: AsyncHone) -> None:
        self._client = client

    async def create(self, **hook: Any) -> NewHook:
        """The answer has the secret, this once."""
        return cast(NewHook, await self._client.json("POST", "/v1/hooks", json=hook))

    async def get(self, hook_id: str) -> Hook:
        return cast(Hook, await self._client.json("GET", f"/v1/hooks/{hook_id}"))

    def list(self, *, limit: int | None = None) -> AsyncIterator[Hook]:
        return self._client.pages("/v1/hooks", limit)

    async def delete(self, hook_id: str) -> None:
        await self._client.request("DELETE", f"/v1/hooks/{hook_id}")

    async def test(self, hook_id: str, **request: Any) -> HookReceipt:
        """As if the source had sent ``payload``; with ``dry_run`` only what would be done."""
        return cast(HookReceipt, await self._client.json("POST", f"/v1/hooks/{hook_id}/test", json=request))

    def deliveries(self, hook_id: str, *, limit: int | None = None) -> AsyncIterator[HookDelivery]:
        return self._client.pages(f"/v1/hooks/{hook_id}/deliveries", limit)


class AsyncWebhookEndpoints:
    """Where a workspace's events are sent; ``verify_webhook`` is for whoever receives them."""

    def __init__(self, client: AsyncHone) -> None:
        self._client = client

    async def create(self, **endpoint: Any) -> NewWebhookEndpoint:
        """The answer has the secret, this once."""
        return cast(NewWebhookEndpoint, await self._client.json("POST", "/v1/webhook-endpoints", json=endpoint))

    async def get(self, endpoint_id: str) -> WebhookEndpoint:
        return cast(WebhookEndpoint, await self._client.json("GET", f"/v1/webhook-endpoints/{endpoint_id}"))

    def list(self, *, limit: int | None = None) -> AsyncIterator[WebhookEndpoint]:
        return self._client.pages("/v1/webhook-endpoints", limit)

    async def delete(self, endpoint_id: str) -> None:
        await self._client.request("DELETE", f"/v1/webhook-endpoints/{endpoint_id}")

    async def rotate(self, endpoint_id: str) -> NewWebhookEndpoint:
        """A new secret; for a while events are signed with both."""
        path = f"/v1/webhook-endpoints/{endpoint_id}/rotate"
        return cast(NewWebhookEndpoint, await self._client.json("POST", path))

    async def enable(self, endpoint_id: str) -> WebhookEndpoint:
        """After it was disabled by too many failures."""
        path = f"/v1/webhook-endpoints/{endpoint_id}/enable"
        return cast(WebhookEndpoint, await self._client.json("POST", path))

    async def test(self, endpoint_id: str) -> None:
        """Sends an event to try it."""
        await self._client.request("POST", f"/v1/webhook-endpoints/{endpoint_id}/test")

    def deliveries(self, endpoint_id: str, *, limit: int | None = None) -> AsyncIterator[WebhookDelivery]:
        return self._client.pages(f"/v1/webhook-endpoints/{endpoint_id}/deliveries", limit)

    async def redeliver(self, endpoint_id: str, delivery_id: str) -> None:
        path = f"/v1/webhook-endpoints/{endpoint_id}/deliveries/{delivery_id}/redeliver"
        await self._client.request("POST", path)


class AsyncKeys:
    """API keys of the workspace."""

    def __init__(self, client: AsyncHone) -> None:
        self._client = client

    async def create(self, name: str, **options: Any) -> NewKey:
        """The answer has the secret, this once."""
        return cast(NewKey, await self._client.json("POST", "/v1/keys", json={"name": name, **options}))

    async def get(self, key_id: str) -> Key:
        return cast(Key, await self._client.json("GET", f"/v1/keys/{key_id}"))

    def list(self, *, limit: int | None = None) -> AsyncIterator[Key]:
        return self._client.pages("/v1/keys", limit)

    async def rotate(self, key_id: str, **options: Any) -> NewKey:
        """A new secret; the one before works for ``grace_s`` seconds more (default: a day)."""
        return cast(NewKey, await self._client.json("POST", f"/v1/keys/{key_id}/rotate", json=options))

    async def delete(self, key_id: str) -> None:
        await self._client.request("DELETE", f"/v1/keys/{key_id}")


class AsyncOwnWorkspace:
    """The workspace that the key opens: what it holds, what was used of it and changed in it."""

    def __init__(self, client: AsyncHone) -> None:
        self._client = client

    async def get(self) -> Workspace:
        return cast(Workspace, await self._client.json("GET", "/v1/workspace"))

    async def usage(self, **days: str) -> Usage:
        """By day (UTC); ``**{"from": "2026-11-01"}`` names the first."""
        return cast(Usage, await self._client.json("GET", "/v1/usage", params=days))

    def audit(self, *, limit: int | None = None, **query: str) -> AsyncIterator[AuditEntry]:
        """Changes of the last 90 days, newest first."""
        return self._client.pages("/v1/audit-log", limit, **query)


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
