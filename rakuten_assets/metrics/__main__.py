"""`python -m rakuten_assets.metrics`: figures about storage and history for Prometheus, until it is stopped.

| exit status | means |
|---|---|
| 0 | it was stopped (Ctrl-C, SIGTERM), or `--dashboard` was printed |
| 2 | it did not start: a wrong argument, a port that is taken, no history, a package that is missing |
| 70 | it ended by a defect of this program |
"""

from __future__ import annotations

import argparse
import math
import signal
import sys
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING

from rakuten_assets.errors import MetricsError
from rakuten_assets.runtime.console import refusals_told, run_command
from rakuten_assets.settings import Settings
from rakuten_assets.storage.files import is_local

if TYPE_CHECKING:
    from rakuten_assets.metrics.server import MetricsServer

HOST, PORT = "127.0.0.1", 9464
_REFRESH = 60.0
_REFRESH_SHARDS, _REFRESH_SHARDS_OF_A_BUCKET = 300.0, 3600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit status."""
    given = _parser().parse_args(arguments)
    return refusals_told(lambda: _run(given), f"{given.host}:{given.port}", "nothing was served")


def _run(given: argparse.Namespace) -> int:
    if given.dashboard:
        from rakuten_assets.metrics.dashboard import dashboard_text

        print(dashboard_text(), end="")
        return 0
    if find_spec("prometheus_client") is None:
        raise MetricsError(
            "the package prometheus-client is missing; install it with: pip install -c constraints.txt -e '.[metrics]'"
        )
    settings = Settings.load(**({} if given.storage is None else {"storage": given.storage}))
    from rakuten_assets.metrics.exporter import open_exporter

    far = not is_local(settings.storage)
    by_default = _REFRESH_SHARDS_OF_A_BUCKET if far else _REFRESH_SHARDS
    server = open_exporter(
        settings,
        given.host,
        given.port,
        refresh=given.refresh,
        refresh_shards=by_default if given.refresh_shards is None else given.refresh_shards,
        # In one piece: parts are read side by side.
        say=lambda message: print(f"{message}\n", end="", file=sys.stderr),
    )
    _serve(server)
    return 0


def _serve(server: MetricsServer) -> None:
    """Answer until a signal comes. (The first process of a container ignores SIGTERM, unless it has a handler.)"""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    threading.Thread(target=server.serve_forever, name="metrics-server", daemon=True).start()
    print(f"metrics: {server.url}", flush=True)
    stopped.wait()
    server.shutdown()
    server.server_close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rakuten_assets.metrics",
        description="Serve figures about the storage and Dagster's history for Prometheus, at /metrics. What is "
        "read is shown for some time; rakuten_scrape_age_seconds says how old it is.",
    )
    parser.add_argument(
        "--host", default=HOST, help="address to listen on (default: %(default)s; 0.0.0.0: every address)"
    )
    parser.add_argument(
        "--port",
        type=_port,
        default=PORT,
        help="port to listen on (default: %(default)s; 0: any that is free)",
    )
    parser.add_argument("--storage", metavar="DIR", help="storage to look at; default: RAKUTEN_STORAGE")
    parser.add_argument(
        "--refresh",
        metavar="SECONDS",
        type=_seconds,
        default=_REFRESH,
        help="how old a figure gets before a scrape has it read again (default: %(default)g)",
    )
    parser.add_argument(
        "--refresh-shards",
        metavar="SECONDS",
        type=_seconds,
        help="the same for stale shards, for which all features are looked at (default: "
        f"{_REFRESH_SHARDS:g}; {_REFRESH_SHARDS_OF_A_BUCKET:g} where the storage is a bucket: they are fetched for it)",
    )
    parser.add_argument(
        "--dashboard", action="store_true", help="print the dashboard for Grafana instead, as JSON to import"
    )
    return parser


def _port(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) < 65_536):
        raise argparse.ArgumentTypeError(f"{text!r} is no port; allowed: 0 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds; allowed: 0 or more")
    return seconds


if __name__ == "__main__":
    sys.exit(run_command(main))
