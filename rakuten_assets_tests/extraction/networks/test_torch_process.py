import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rakuten_assets.backbones import find_backbone
from rakuten_assets.errors import EngineError, WeightsError
from rakuten_assets.extraction.networks import torch_child
from rakuten_assets.extraction.networks.torch_process import (
    TorchProcess,
    run_in_torch_process,
    shared_torch_process,
)

# Says its own number and how many requests it has had; `do` is what it does before it answers.
CHILD = """
import json, os, signal, sys, time
count = 0
for line in sys.stdin:
    asked, count = json.loads(line), count + 1
    answer = {"answer": {"action": asked["action"], "pid": os.getpid(), "count": count}}
    exec(asked["request"].get("do", ""))
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TorchProcess]:
    """With a stand-in for the child's module."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "stand_in_child.py").write_text(CHILD)
    with TorchProcess("stand_in_child") as process:
        yield process


def is_gone(pid: int) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_one_child_answers_request_after_request_and_ends_with_the_block(process: TorchProcess) -> None:
    first, second = process.run("convert", {}), process.run("seed", {})
    assert (first["action"], second["action"]) == ("convert", "seed")
    assert first["pid"] == second["pid"] != os.getpid()
    assert second["count"] == 2
    process.close()
    assert is_gone(first["pid"])
    assert process.run("convert", {})["count"] == 1


@pytest.mark.parametrize(
    ("error", "raised"),
    [("WeightsError", WeightsError), ("EngineError", EngineError), ("Other", EngineError)],
)
def test_the_childs_refusal_is_raised_here_and_the_child_stays(
    process: TorchProcess, error: str, raised: type[Exception]
) -> None:
    answer = {"error": error, "message": "w.pth is empty"}
    with pytest.raises(raised, match=r"^w\.pth is empty$"):
        process.run("convert", {"do": f"answer = {answer}"})


@pytest.mark.parametrize(
    ("do", "said"),
    [
        ("raise LookupError('a defect')", r"convert` died with exit status 1[\s\S]*LookupError: a defect"),
        ("os.kill(os.getpid(), signal.SIGKILL)", r"signal 9 \(SIGKILL\)"),
        ("raise SystemExit(3)", "exit status 3"),
        ("answer = [1, 2]", "died with"),
        ("print('no JSON')", "died with"),
    ],
)
def test_a_child_that_does_not_answer_is_gone_with_its_last_words(
    process: TorchProcess, do: str, said: str
) -> None:
    pid = process.run("seed", {"do": "print('of the request before', file=sys.stderr)"})["pid"]
    with pytest.raises(EngineError, match=said) as caught:
        process.run("convert", {"do": do})
    assert "of the request before" not in str(caught.value)
    assert is_gone(pid)
    assert process.run("convert", {})["count"] == 1


def test_an_interrupted_child_gives_no_late_answer(process: TorchProcess) -> None:
    pid = process.run("convert", {})["pid"]
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        process.run("convert", {"do": "time.sleep(30)"})
    assert is_gone(pid)
    assert process.run("seed", {})["action"] == "seed"


def refused() -> list[WeightsError]:
    """What two requests to the real child are answered with."""
    backbone = {**find_backbone("resnet18").as_dict(), "describer": "nowhere:nothing"}
    errors = []
    for _ in range(2):
        with pytest.raises(WeightsError, match="'nowhere:nothing' names no function") as caught:
            run_in_torch_process("describe", {"backbone": backbone})
        errors.append(caught.value)
    return errors


def children() -> set[int]:
    listed = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {int(pid) for pid in listed if "torch_child" in Path(f"/proc/{pid}/cmdline").read_bytes().decode()}


@pytest.mark.skipif(
    not Path(f"/proc/self/task/{os.getpid()}/children").exists(), reason="children are listed in /proc"
)
def test_actions_share_a_child_within_a_block_and_have_one_each_outside() -> None:
    refused()
    assert children() == set()
    with shared_torch_process():
        refused()
        (child,) = children()
        refused()
        assert children() == {child}
        with pytest.raises(WeightsError):
            run_in_torch_process(
                "describe",
                {"backbone": {**find_backbone("resnet18").as_dict(), "describer": "x:y"}},
                last=True,
            )
        assert children() == set()
    assert children() == set()


def test_the_real_child_answers_line_by_line() -> None:
    backbone = {**find_backbone("resnet18").as_dict(), "describer": "nowhere:nothing"}
    line = json.dumps({"action": "describe", "request": {"backbone": backbone}})
    answers = io.StringIO()
    torch_child.serve(io.StringIO(f"{line}\n{line}\n"), answers)
    said = [json.loads(answer) for answer in answers.getvalue().splitlines()]
    assert [answer["error"] for answer in said] == ["WeightsError", "WeightsError"]
    assert "'nowhere:nothing' names no function" in said[0]["message"]


def test_a_library_that_prints_or_asks_disturbs_no_answer(tmp_path: Path) -> None:
    code = (
        "import json, os\n"
        "from rakuten_assets.extraction.networks import torch_child\n"
        "def seed(request):\n"
        "    print('noise'); os.system('echo noise')\n"
        "    try:\n"
        "        input('trust it? ')\n"
        "    except EOFError:\n"
        "        return {'asked': 'nobody'}\n"
        "torch_child._ACTIONS['seed'] = seed\n"
        "torch_child.main()\n"
    )
    request = json.dumps({"action": "seed", "request": {}}) + "\n"
    done = subprocess.run(
        [sys.executable, "-c", code], input=request, capture_output=True, text=True, timeout=60
    )
    assert json.loads(done.stdout) == {"answer": {"asked": "nobody"}}
    assert "noise" in done.stderr
