"""The pages of the server itself, outside AWS's protocols.

    GET /_modelyard/health     200 while the process answers at all                                    anybody
    GET /_modelyard/ready      200 when database and object storage answer, else 503 saying which      anybody
    GET /_modelyard/metrics    Prometheus's text format                                                who `metrics` says
    GET /_modelyard/layers/…   a layer of an image                                                     who has a link from ECR

No bucket can have this name, since an underscore is not valid in one. By default only this machine may read the metrics:
they tell which operations are used and how often. A server behind a proxy on its own machine has the proxy refuse the page, or
sets `metrics = "nobody"`.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Callable

import orjson

from modelyard.aws.errors import ValidationException
from modelyard.aws.http import HttpRequest, HttpResponse
from modelyard.images import layer_links
from modelyard.server.certificates import is_aws_host
from modelyard.server.composition import House
from modelyard.server.metrics import CONTENT_TYPE, Metrics
from modelyard.server.pool import Pool

PREFIX = "/_modelyard/"
READY_SECONDS = 5.0
_NO_BLOB = "sha256:" + "0" * 64

log = logging.getLogger("modelyard.ready")


class OwnPages:
    """Answers what is under `/_modelyard/`."""

    def __init__(self, house: House, metrics: Metrics, pool: Pool) -> None:
        self._house = house
        self._metrics = metrics
        self._pool = pool
        self._pages = {"health": self._health, "ready": self._ready, "metrics": self._render_metrics}

    async def answer(self, http: HttpRequest) -> HttpResponse | None:
        """The page under `PREFIX` that is asked for; None when the request is for AWS's services."""
        # In a bucket that the host name tells (bucket.s3.amazonaws.com) this is the key of an object.
        if is_aws_host(http.headers.get("host", "").partition(":")[0].lower()):
            return None
        if http.method not in ("GET", "HEAD"):
            return _json(405, {"message": "This page can only be read."})
        if http.raw_path.startswith(layer_links.PATH):
            return await self._layer(http.raw_path.removeprefix(layer_links.PATH))
        page = self._pages.get(http.raw_path.removeprefix(PREFIX))
        if page is None:
            return _json(404, {"message": f"There are {', '.join(PREFIX + name for name in self._pages)}."})
        return await page(http)

    async def _health(self, _: HttpRequest) -> HttpResponse:
        return _json(200, {"status": "alive"})

    async def _layer(self, sealed: str) -> HttpResponse:
        """What GetDownloadUrlForLayer made a link to."""
        try:
            digest = layer_links.digest_of(self._house.dispatcher.tokens, sealed, self._house.clock.now())
        except ValidationException:
            return _json(403, {"message": "This link was not made here."})
        if digest is None:
            return _json(403, {"message": "This link has expired."})
        return await self._pool.run(self._bytes, digest)

    def _bytes(self, digest: str) -> HttpResponse:
        blobs = self._house.blobs
        try:
            size, pieces = blobs.size(digest), blobs.read(digest)
        except FileNotFoundError:
            return _json(404, {"message": "This layer was deleted."})
        return HttpResponse(200, [("content-type", "application/octet-stream"), ("content-length", str(size))], pieces)

    async def _render_metrics(self, http: HttpRequest) -> HttpResponse:
        if not self._may_read_metrics(http.client):
            return _json(403, {"message": "The setting `metrics` does not let you read this page."})
        return HttpResponse(200, [("content-type", CONTENT_TYPE)], self._metrics.render())

    def _may_read_metrics(self, client: str) -> bool:
        allowed = self._house.settings.metrics
        return allowed == "everyone" or (allowed == "loopback" and ipaddress.ip_address(client).is_loopback)

    async def _ready(self, _: HttpRequest) -> HttpResponse:
        names = ("database", "blobs")
        states = await asyncio.gather(
            *(self._state(name, check) for name, check in zip(names, (self._database, self._blobs), strict=True))
        )
        ready = all(state == "ok" for state in states)
        return _json(200 if ready else 503, dict(zip(names, states, strict=True)))

    async def _state(self, name: str, check: Callable[[], None]) -> str:
        """`ok`, or `failed` with the reason in the log, where the secrets of an address are safer than in an answer."""
        try:
            await asyncio.wait_for(self._pool.run(check), READY_SECONDS)
        except TimeoutError:
            return "does not answer in time"
        except Exception as error:
            log.error("the %s is not ready: %s: %s", name, type(error).__name__, error)
            return "failed"
        return "ok"

    def _database(self) -> None:
        with self._house.storage.read() as tx:
            tx.one("SELECT 1")

    def _blobs(self) -> None:
        self._house.blobs.size(_NO_BLOB)


def _json(status: int, content: dict[str, str]) -> HttpResponse:
    return HttpResponse(status, [("content-type", "application/json")], orjson.dumps(content))
