"""Fine-tunes a small network in processes that are killed (SIGKILL), and then in one that is not.

`python -m rakuten_assets_tests.finetuning.killed FOLDER KILLS SEED` prints JSON: the digests of the weights of an
undisturbed run and of the run that was killed so often, the steps of the run, and where each process was killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from upath import UPath

from rakuten_assets.extraction.networks.weights import WeightsSource
from rakuten_assets.finetuning.checkpoints import Checkpoints
from rakuten_assets.finetuning.options import parse_options
from rakuten_assets.finetuning.task import Task, training_images
from rakuten_assets.finetuning.training import fine_tune
from rakuten_assets.torch_data import Visit, training_loader
from rakuten_assets_tests.finetuning.small import sha256_of, small_task, write_weights

THREADS = 2
OPTIONS = parse_options(
    "train=2, epochs=7, patience=0, batch_size=8, learning_rate=0.01, checkpoint_every=2, balance=sampler, loss=focal"
)
_OPERATIONS = {"open", "os.rename", "os.remove"}


def run(task: Task, folder: Path, on_step: Callable[[int], None] | None = None) -> str:
    """One process's work: from the last checkpoint to the end. The digest of the weights."""
    checkpoints = Checkpoints(UPath(folder), task.identity(OPTIONS), _say)
    tuned = fine_tune(task, OPTIONS, threads=THREADS, checkpoints=checkpoints, log=_say, on_step=on_step)
    return sha256_of(tuned.state)


def killed_after(steps: int, operations: int, folder: Path) -> Callable[[int], None]:
    """Kill this process so many of its file operations in the folder after so many of its steps."""
    taken, left = 0, operations

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if taken >= steps and event in _OPERATIONS and str(arguments[0]).startswith(str(folder)):
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1

    def on_step(step: int) -> None:
        nonlocal taken
        taken += 1
        if taken == steps and not operations:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    return on_step


def forked(work: Callable[[], str], answer: Path) -> int:
    """Work in a process of its own, which writes its answer to a file. The signal that ended it; 0 for none."""
    child = os.fork()
    if not child:
        try:
            answer.write_text(work())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return os.WTERMSIG(status)
    if os.WEXITSTATUS(status):
        raise RuntimeError("a process failed; its error is above")
    return 0


def main(folder: Path, kills: int, seed: int) -> None:
    source = folder / "small.safetensors"
    # In a process of its own: threads of torch's that a child inherits do not work.
    forked(lambda: str(write_weights(source).identity), folder / "identity")
    weights = WeightsSource("file", str(source), source, (folder / "identity").read_text())
    task = small_task(folder / "pictures", weights)
    _warm_up(task)
    calm, answer, place = folder / "calm", folder / "answer", folder / "killed"
    forked(lambda: run(task, calm), folder / "undisturbed")
    generator, moments = random.Random(seed), []
    while len(moments) < kills:
        steps, operations = generator.randint(1, 5), generator.choice((0, 0, 1, 2, 3, 4))

        def work(steps: int = steps, operations: int = operations) -> str:
            return run(task, place, killed_after(steps, operations, place))

        if forked(work, answer) != signal.SIGKILL:
            break
        moments.append([steps, operations])
    answer.unlink(missing_ok=True)
    forked(lambda: run(task, place), answer)
    digests = [(folder / "undisturbed").read_text(), answer.read_text()]
    print(json.dumps({"digests": digests, "killed": moments}))


def _warm_up(task: Task) -> None:
    """Import and compile here, once, what each process would otherwise import and compile for itself."""
    for module in ("torch._dynamo", "rakuten_assets.evaluation.heads.multinomial", "scipy.optimize"):
        import_module(module)
    images = training_images(task, OPTIONS)
    next(iter(training_loader(images, 2)))
    for index in range(len(images)):
        images[Visit(index, epoch=9)]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
