"""An S3 server of this process, which takes note of every request."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs

import boto3
import fsspec.config
import pytest
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

BUCKET = "catalogue"


@dataclass(frozen=True)
class Request:
    """Attributes:
    path: without the bucket's name.
    query: parameters of the address.
    """

    method: str
    path: str
    query: dict[str, list[str]]


@dataclass
class BucketServer:
    """Attributes:
    requests: those since the last `forget`.
    refuse: which requests are answered with 403.
    answer: the status that a request is answered with instead of being served, if any.
    together: most requests that were under way at a time.
    """

    requests: list[Request] = field(default_factory=list)
    refuse: Callable[[Request], bool] = lambda _: False
    answer: Callable[[Request], int | None] = lambda _: None
    together: int = 0
    address: str = ""
    _running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def forget(self) -> None:
        self.requests.clear()
        self.together = 0

    def of(self, method: str, part: str = "") -> list[Request]:
        """Requests of a method whose path holds `part`."""
        return [one for one in self.requests if one.method == method and part in one.path]

    @property
    def client(self) -> Any:
        """Somebody else's client."""
        return boto3.client("s3", endpoint_url=self.address)

    def noting(self, application: Any) -> Any:
        def noted(environ: dict[str, Any], start: Any) -> Any:
            path = environ["PATH_INFO"].removeprefix(f"/{BUCKET}")
            request = Request(environ["REQUEST_METHOD"], path, parse_qs(environ["QUERY_STRING"], True))
            with self._lock:
                self.requests.append(request)
                self._running += 1
                self.together = max(self.together, self._running)
            try:
                status = 403 if self.refuse(request) else self.answer(request)
                if status is not None:
                    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                    start(f"{status} {HTTPStatus(status).phrase}", [("Content-Length", "0")])
                    return [b""]
                return application(environ, start)
            finally:
                with self._lock:
                    self._running -= 1

        return noted


class _Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def log(self, *_: Any) -> None:
        return None


@contextmanager
def bucket_server() -> Iterator[BucketServer]:
    """A server with an empty bucket; `s3://` addresses lead to it while the block runs."""
    found = BucketServer()
    application = found.noting(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    found.address = f"http://127.0.0.1:{server.server_port}"
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ENDPOINT_URL_S3", "AWS_PROFILE", "AWS_SESSION_TOKEN", "HTTP_PROXY", "http_proxy"):
            patch.delenv(name, raising=False)
        patch.delitem(fsspec.config.conf, "s3", raising=False)
        patch.setenv("AWS_ENDPOINT_URL", found.address)
        patch.setenv("AWS_ACCESS_KEY_ID", "key")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        import s3fs

        s3fs.S3FileSystem.clear_instance_cache()  # a client keeps the address that it was made with
        # All servers of a process keep their buckets in one place.
        urllib.request.urlopen(
            urllib.request.Request(f"{found.address}/moto-api/reset", method="POST")
        ).close()
        found.client.create_bucket(Bucket=BUCKET)
        found.forget()
        try:
            yield found
        finally:
            s3fs.S3FileSystem.clear_instance_cache()
            server.shutdown()
            thread.join()
            server.server_close()
