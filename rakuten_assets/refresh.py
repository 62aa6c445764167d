"""Run everything if there is something to do, and else say so in seconds: `python -m rakuten_assets.refresh`.

As `make` does, it compares what the last run of everything was made of and left (settings, code, extractors, the
catalogue's files, the files in the storage) with what is there now, by names, sizes and times. If something differs, it
says what and starts Dagster's own command over all shards, which computes only what is affected.

| exit status | means |
|---|---|
| 0 | nothing was due, or the run ended well |
| 1 | `--check`: something is due; else: the run failed |
| 2 | it was not looked at, or not run: a wrong argument, no catalogue, Dagster's records cannot be read |
| 70 | it was not: a defect of this program |
| 130 | interrupted |
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence

from rakuten_assets.dataset.layout import find_catalog
from rakuten_assets.errors import CatalogError, SettingsError, in_a_line
from rakuten_assets.outputs.names import materialization
from rakuten_assets.outputs.whole_run import WholeRun, changes_since, last_whole_run
from rakuten_assets.runtime.console import refusals_told, run_command
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage
from rakuten_assets.variables import PREFIX

ALL_BUT_FINE_TUNING = "not group:finetuning"
"""What a run of everything makes, as Dagster's `--select`: fine-tuning takes hours, and nothing else needs it."""

_DUE = 1

Start = Callable[[list[str], Mapping[str, str]], int]


def become(command: list[str], environment: Mapping[str, str]) -> int:
    """Go on as another program: every signal reaches it, and its exit status is this one's. Where that cannot be
    (Windows), run it and give its exit status."""
    sys.stdout.flush()
    if os.name != "nt":
        os.execve(command[0], command, dict(environment))
    return subprocess.call(command, env=dict(environment))


def main(arguments: Sequence[str] | None = None, start: Start = become) -> int:
    """Run the command; returns the exit status.

    Args:
        start: runs a command in an environment to its end, and gives its exit status.
    """
    given = _parser().parse_args(arguments)
    return refusals_told(lambda: _run(given.check, start), "the storage", "start the command again")


def reasons_to_run(settings: Settings, last: WholeRun | None) -> list[str]:
    """Why everything should run; [] if it need not.

    Raises:
        CatalogError: the catalogue's files are not there.
        OSError, RakutenAssetsError: something cannot be looked at.
    """
    # Not before it is needed: Dagster takes a second to import.
    from rakuten_assets.defs.outputs.whole import state_now

    if last is None:
        if settings.data_dir is not None:
            find_catalog(settings.data_dir)  # What is missing is told now, not by a run.
        return [f"no run of everything is on record in {settings.storage}"]
    if reason := _not_as_recorded(last):
        return [reason]
    try:
        return changes_since(last, state_now(settings))
    except CatalogError as error:
        if settings.is_synthetic:  # A run draws it.
            return [str(error)]
        raise


def _run(check: bool, start: Start) -> int:
    settings = Settings.load()
    last = last_whole_run(Storage(settings.storage, settings.shards))
    reasons = reasons_to_run(settings, last)
    if last is not None and not reasons:
        print(f"nothing is due: all is as run {last.run[:8]} of {last.ended} was made of and left it")
        for line in last.told:
            print(line)
        return 0
    for reason in reasons:
        print(f"due: {reason}", flush=True)
    if check:
        return _DUE
    if settings.shards_per_run:
        raise SettingsError(
            f"RAKUTEN_SHARDS_PER_RUN={settings.shards_per_run}: runs of groups of shards are launched by Dagster's "
            "daemon. Choose Materialize all in the interface, switch the schedule refresh_stale_shards on, or set it "
            "to 0 for one run over all shards"
        )
    # Dagster's command reads `.env` before it looks for the storage: it would find another where that says more.
    environment = {**os.environ, f"{PREFIX}STORAGE": str(settings.storage)}
    return start([sys.executable, *materialization(ALL_BUT_FINE_TUNING, settings.shards)], environment)


def _not_as_recorded(last: WholeRun) -> str:
    """What Dagster's records say against a run of everything; "" if nothing, or if there are none."""
    if not (home := os.environ.get("DAGSTER_HOME")):
        return ""
    import dagster as dg

    from rakuten_assets.defs.outputs.whole import not_of_run

    where = f"Dagster's records (DAGSTER_HOME={home})"
    try:
        with dg.DagsterInstance.get() as instance:
            run = instance.get_run_by_id(last.run)
            keys = [dg.AssetKey.from_user_string(name) for name in last.assets]
            others = not_of_run(last.run, keys, instance)
    except Exception as error:  # of Dagster, or of the database that its configuration names
        raise SettingsError(f"{where} cannot be read: {in_a_line(error)}") from error
    if run is None or run.status != dg.DagsterRunStatus.SUCCESS:
        state = "is not" if run is None else f"is {run.status.value.lower()}"
        return f"run {last.run[:8]} {state} in {where}"
    more = f" and {len(others) - 1} more assets" if len(others) > 1 else ""
    return f"{others[0]}{more}: not of run {last.run[:8]} in {where}" if others else ""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m rakuten_assets.refresh",
        description="Run everything if settings, code, the catalogue's files or what the last run of everything left "
        "in the storage are no longer what they were (by names, sizes and times); else say that nothing is due.",
    )
    parser.add_argument(
        "--check",
        action="store_true",
        help="run nothing: say what is due, and exit with status 1 if anything is",
    )
    return parser


if __name__ == "__main__":
    sys.exit(run_command(main))
