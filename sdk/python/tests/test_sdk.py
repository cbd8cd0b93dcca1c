"""The SDK against a running service: HONE_URL, HONE_API_KEY and MODEL (an ONNX file with a MatMul "fc") are set."""

import asyncio
import hashlib
import hmac
import base64
import json
import os
import unittest

import httpx

from hone_sdk import (
    AsyncHone,
    AuthenticationError,
    ConnectionFailedError,
    Hone,
    InvalidRequestError,
    JobError,
    NotFoundError,
    WebhookVerificationError,
    verify_webhook,
)

MODEL = os.environ["MODEL"]


class BreakingTransport(httpx.BaseTransport):
    """Cuts the first lines that ``matches``, before or after the service has answered."""

    def __init__(self, matches, count, after=False):
        self._inner = httpx.HTTPTransport()
        self._matches, self.left, self._after = matches, count, after
        self.calls = []

    def handle_request(self, request):
        self.calls.append(f"{request.method} {request.url.path}")
        if self.left > 0 and self._matches(request):
            self.left -= 1
            if self._after:
                self._inner.handle_request(request).read()
            raise httpx.ReadError("the line was cut")
        return self._inner.handle_request(request)

    def close(self):
        self._inner.close()


class Blocking(unittest.TestCase):
    def setUp(self):
        self.hone = Hone()
        self.addCleanup(self.hone.close)

    def test_one_call_compresses(self):
        smaller = self.hone.quantize(MODEL, method="weight_only", bits=4)
        self.assertEqual(smaller.summary["bytes_after"], len(smaller.content))
        self.assertTrue(smaller.summary["verified"])
        self.assertEqual(len(smaller.report()["changed"]), 1)

    def test_lists_reach_the_service_as_lists(self):
        with self.assertRaisesRegex(InvalidRequestError, 'no node "no, body"'):
            self.hone.quantize(MODEL, method="weight_only", nodes_to_exclude=["fc", "no, body"])

    def test_a_stored_model_is_quantized_by_a_job(self):
        model = self.hone.models.create(MODEL, name="linear")
        job = self.hone.models.quantize(model["id"], method="weight_only")
        seen = []
        done = self.hone.jobs.wait(job["id"], on_event=seen.append)
        self.assertEqual([event.data["state"] for event in seen if event.type == "state"], ["queued", "running", "succeeded"])
        content = self.hone.models.content(done["result"]["model_id"])
        stored = self.hone.models.get(done["result"]["model_id"])
        self.assertEqual(hashlib.sha256(content).hexdigest(), stored["sha256"])

    def test_a_job_that_fails_says_why(self):
        model = self.hone.models.create(MODEL)
        job = self.hone.models.quantize(model["id"], method="weight_only", min_sqnr_db=150)
        with self.assertRaises(JobError) as raised:
            self.hone.jobs.wait(job["id"])
        self.assertEqual(raised.exception.problem["code"], "not_close_enough")

    def test_an_upload_goes_on_where_it_was_cut(self):
        large = os.environ["LARGE_MODEL"]
        second = lambda request: request.url.path.endswith("/parts/2")
        started = []
        with Hone(transport=BreakingTransport(second, 99)) as cut:
            with self.assertRaises(ConnectionFailedError):
                cut.models.upload(large, part_bytes=5 << 20, on_start=started.append)
        transport = BreakingTransport(second, 0)
        progress = []
        with Hone(transport=transport) as again:
            model = again.models.upload(
                large, part_bytes=5 << 20, resume=started[0], on_progress=lambda sent, total: progress.append(sent / total)
            )
        self.assertEqual(model["bytes"], os.stat(large).st_size)
        self.assertNotIn(f"PUT /v1/uploads/{started[0]}/parts/1", transport.calls)
        self.assertEqual(progress[-1], 1)

    def test_a_lost_answer_creates_one_thing(self):
        transport = BreakingTransport(lambda request: request.url.path == "/v1/models", 1, after=True)
        with Hone(transport=transport) as lost:
            model = lost.models.create(MODEL, name="once only")
        named = [each["id"] for each in self.hone.models.list(limit=2) if each["name"] == "once only"]
        self.assertEqual(named, [model["id"]])

    def test_objects_and_lists_in_a_query_arrive_as_such(self):
        simple = self.hone.simplify(MODEL, skip_passes=["inline_if"], input_shapes={"x": [2, 128]})
        self.assertEqual(simple.summary["operation"], "simplify")
        self.assertEqual(simple.report()["options"], {"skip_passes": ["inline_if"], "input_shapes": {"x": [2, 128]}})

    def test_recipes_hooks_endpoints_and_keys_are_made_rotated_listed_and_deleted(self):
        steps = [{"op": "prune", "amount": 0.5}]
        recipe = self.hone.recipes.create(name="halve-py", steps=steps)
        hook = self.hone.hooks.create(source="standard", model={"url": "{data.url}"}, recipe="halve-py")
        payload = {"type": "x", "data": {"url": "https://example.com/model.onnx"}}
        receipt = self.hone.hooks.test(hook["id"], payload=payload, dry_run=True)
        self.assertEqual(receipt["decision"], "accepted")
        self.assertEqual(list(self.hone.hooks.deliveries(hook["id"])), [])
        model = self.hone.models.create(MODEL)
        done = self.hone.jobs.wait(self.hone.models.optimize(model["id"], recipe="halve-py")["id"])
        self.assertEqual(done["state"], "succeeded")
        endpoint = self.hone.webhook_endpoints.create(url="https://example.com/hook")
        self.assertNotEqual(self.hone.webhook_endpoints.rotate(endpoint["id"])["secret"], endpoint["secret"])
        key = self.hone.keys.create("py", scopes=["read"])
        turned = self.hone.keys.rotate(key["id"], grace_s=0)
        with Hone(api_key=key["secret"]) as old, self.assertRaises(AuthenticationError):
            old.models.get("model_none")
        with Hone(api_key=turned["secret"]) as new, self.assertRaises(NotFoundError):
            new.models.get("model_none")
        for resource, made in (
            (self.hone.recipes, recipe),
            (self.hone.hooks, hook),
            (self.hone.webhook_endpoints, endpoint),
            (self.hone.keys, key),
        ):
            self.assertIn(made["id"], [each["id"] for each in resource.list()])
            resource.delete(made["id"])
            with self.assertRaises(NotFoundError):
                resource.get(made["id"])
        self.assertIn("POST /v1/keys", [each["action"] for each in self.hone.workspace.audit(limit=100)])
        self.assertIn("data", self.hone.workspace.usage())

    def test_a_lost_answer_of_any_post_creates_one_thing(self):
        transport = BreakingTransport(lambda request: request.url.path == "/v1/keys", 1, after=True)
        with Hone(transport=transport) as lost:
            key = lost.keys.create("once only")
        named = [each["id"] for each in self.hone.keys.list() if each["name"] == "once only"]
        self.assertEqual(named, [key["id"]])

    def test_refusals_are_errors_of_their_kind(self):
        with self.assertRaises(InvalidRequestError) as raised:
            self.hone.quantize(b"<html>")
        self.assertEqual((raised.exception.status, raised.exception.code), (415, "not_onnx"))
        with self.assertRaises(NotFoundError):
            self.hone.models.get("model_none")
        with Hone(api_key="hone_wrong") as stranger, self.assertRaises(AuthenticationError):
            stranger.models.get("model_none")
        with Hone(base_url="http://127.0.0.1:9", max_retries=0) as dead, self.assertRaises(ConnectionFailedError):
            dead.models.get("model_none")


class Awaiting(unittest.TestCase):
    def test_the_same_surface_with_await(self):
        async def use():
            async with AsyncHone() as hone:
                smaller, model = await asyncio.gather(
                    hone.quantize(MODEL, method="dynamic"), hone.models.create(MODEL)
                )
                job = await hone.models.prune(model["id"], amount=0.5)
                done = await hone.jobs.wait(job["id"])
                names = [each["id"] async for each in hone.models.list(limit=1)]
                return smaller.summary["method"], done["state"], model["id"] in names

        self.assertEqual(asyncio.run(use()), ("dynamic", "succeeded", True))


class Webhooks(unittest.TestCase):
    SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()

    def headers(self, body, at=1_700_000_000):
        signed = f"msg_1.{at}.".encode() + body
        digest = hmac.new(b"0123456789abcdef01234567", signed, hashlib.sha256).digest()
        signature = "v1,AAAA v1," + base64.b64encode(digest).decode()
        return {"Webhook-Id": "msg_1", "Webhook-Timestamp": str(at), "Webhook-Signature": signature}

    def test_a_signature_within_five_minutes_verifies(self):
        body = json.dumps({"type": "test"}).encode()
        event = verify_webhook(self.SECRET, self.headers(body), body, now=1_700_000_100)
        self.assertEqual(event, {"type": "test"})

    def test_others_do_not(self):
        body = b"{}"
        for headers, sent, now in [
            (self.headers(body), b"{ }", 1_700_000_000),
            (self.headers(body), body, 1_700_000_301),
            ({}, body, 1_700_000_000),
        ]:
            with self.assertRaises(WebhookVerificationError):
                verify_webhook(self.SECRET, headers, sent, now=now)


if __name__ == "__main__":
    unittest.main()
