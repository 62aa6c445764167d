"""`python -m rakuten_assets.deploy DIR`: write out what several machines need."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rakuten_assets.deploy.writing import write_deployment
from rakuten_assets.runtime.console import refusals_told, run_command


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0: written; 2: refused, with the reason on standard error."""
    options = _parser().parse_args(arguments)
    return refusals_told(
        lambda: _write(options.folder, options.workers, options.shards_per_run),
        options.folder,
        "run the command again: files that are there are not replaced",
    )


def _write(folder: Path, workers: int, shards_per_run: int) -> int:
    written = write_deployment(folder, workers, shards_per_run)
    kept = sum(not new for new in written.values())
    print(f"{folder}: {len(written) - kept} files written{f', {kept} were there already' if kept else ''}")
    for name in sorted(written):
        print(f"  {name}{'' if written[name] else '  (the same as before)'}")
    print(
        f"Next, in that folder: cp environment.template .env, fill it in, docker compose up --build --detach; then "
        f"http://127.0.0.1:3000. Without containers: the scripts of {folder}/start, one a process"
    )
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rakuten_assets.deploy",
        description="Write what several machines need: compose.yaml, Dockerfile, a start script for each role, "
        "dagster.yaml (Postgres, Celery over Redis, run monitoring and retries), an environment template, Prometheus "
        "and Grafana. A file that is there and says something else is never replaced.",
    )
    parser.add_argument(
        "folder", type=_folder, metavar="DIR", help="folder to write to; made if it is not there"
    )
    parser.add_argument("--workers", type=_count, default=2, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--shards-per-run",
        type=_count,
        default=4,
        metavar="N",
        help="how many shards one run of a backfill covers (default: %(default)s)",
    )
    return parser


def _folder(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("it is empty; name a folder, . for this one")
    return Path(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or not 1 <= int(text) <= 4096:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number from 1 to 4,096")
    return int(text)


if __name__ == "__main__":
    sys.exit(run_command(main))
