"""`/metrics` over HTTP, a thread a request."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app

from rakuten_assets.errors import MetricsError

PATH = "/metrics"
_SLOWEST_CLIENT = 30.0


def open_server(registry: CollectorRegistry, host: str, port: int) -> MetricsServer:
    """A server that holds its port already; `serve_forever` answers.

    Args:
        port: 0: any free one.

    Raises:
        MetricsError: the address is taken, not this machine's, or not allowed.
    """
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise MetricsError(
            f"--host {host} is no address ({reason}); 127.0.0.1 is this machine alone"
        ) from None
    try:
        server = MetricsServer(family, (str(address[0]), port))
    except OSError as error:
        raise MetricsError(_refused(error, host, port)) from None
    server.set_app(_application(registry))
    return server


class MetricsServer(ThreadingMixIn, WSGIServer):
    """Listens on an address of IPv4 or IPv6."""

    daemon_threads = True

    def __init__(self, family: socket.AddressFamily, address: tuple[str, int]) -> None:
        self.address_family = family
        super().__init__(address, _Handler)

    @property
    def url(self) -> str:
        """Where the metrics are."""
        return url_of(str(self.server_address[0]), int(self.server_address[1]))


def url_of(host: str, port: int) -> str:
    """The address of the metrics, to click on.

    >>> url_of("127.0.0.1", 9464), url_of("::1", 9464)
    ('http://127.0.0.1:9464/metrics', 'http://[::1]:9464/metrics')
    """
    return f"http://{f'[{host}]' if ':' in host else host}:{port}{PATH}"


class _Handler(WSGIRequestHandler):
    timeout = _SLOWEST_CLIENT

    def log_message(self, format: str, *args: Any) -> None:
        """A scrape every few seconds is no news."""


def _application(registry: CollectorRegistry) -> Callable[[dict[str, Any], Any], Iterable[bytes]]:
    metrics: Any = make_wsgi_app(registry)

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == PATH:
            answer: Iterable[bytes] = metrics(environ, start_response)
            return answer
        # A probe of the program itself asks for `/`, and costs the storage nothing.
        status = "200 OK" if path == "/" else "404 Not Found"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [f"rakuten_assets: the metrics are at {PATH}\n".encode()]

    return application


def _refused(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"port {port} of {host} is taken; stop what listens there, or choose another one with --port (0: any that "
            "is free)"
        )
    if error.errno == errno.EACCES:
        return f"port {port} of {host} is not allowed to this user; choose one above 1023 with --port"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"--host {host} is no address of this machine; 127.0.0.1 is this machine alone, 0.0.0.0 all it has"
    return f"nothing can listen on port {port} of {host}: {error.strerror or error}; choose another --host or --port"
