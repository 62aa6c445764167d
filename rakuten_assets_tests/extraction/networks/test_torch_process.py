import io
import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rakuten_assets.backbones import find_backbone
from rakuten_assets.errors import EngineError, WeightsError
from rakuten_assets.extraction.networks import torch_child
from rakuten_assets.extraction.networks.torch_process import TorchProcess

Stand = Callable[..., TorchProcess]

# Says its own number and how many requests it has had: `do` is what it does before it answers.
CHILD = """
import json, os, signal, sys, time
count = 0
for line in sys.stdin:
    asked, count = json.loads(line), count + 1
    answer = {"answer": {"action": asked["action"], "pid": os.getpid(), "count": count, "x": os.environ.get("X")}}
    exec(asked["request"].get("do", ""))
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """Starts a process with a stand-in for the child's module."""
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "stand_in_child.py").write_text(CHILD)
    made: list[TorchProcess] = []

    def make(idle_seconds: float = 60.0) -> TorchProcess:
        made.append(TorchProcess("stand_in_child", idle_seconds))
        return made[-1]

    yield make
    for process in made:
        process.close()


def is_gone(pid: int) -> bool:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    return False


def test_one_child_answers_request_after_request(stand_in: Stand) -> None:
    process = stand_in()
    first, second = process.run("convert", {}), process.run("seed", {})
    assert (first["action"], second["action"]) == ("convert", "seed")
    assert first["pid"] == second["pid"] != os.getpid()
    assert second["count"] == 2


def test_threads_get_their_own_answers(stand_in: Stand) -> None:
    process, answers = stand_in(), {}

    def ask(name: str) -> None:
        answers[name] = process.run(name, {})["action"]

    threads = [threading.Thread(target=ask, args=(f"action {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 8
    assert all(name == action for name, action in answers.items())


def test_the_childs_refusal_is_raised_here_and_the_child_stays(stand_in: Stand) -> None:
    process = stand_in()
    with pytest.raises(WeightsError, match=r"^w\.pth is empty$"):
        process.run("convert", {"do": "answer = {'error': 'WeightsError', 'message': 'w.pth is empty'}"})
    assert process.run("convert", {})["count"] == 2


@pytest.mark.parametrize(
    ("do", "said"),
    [
        ("raise LookupError('a defect')", r"exit status 1[\s\S]*LookupError: a defect"),
        (
            "os.kill(os.getpid(), signal.SIGKILL)",
            r"signal 9 \(SIGKILL\) while preparing the model \(convert\)",
        ),
        ("print('[1, 2]'); raise SystemExit(0)", "exit status 0"),
        ("print('no JSON'); raise SystemExit(3)", "exit status 3"),
        ("answer = {'error': 'Other', 'message': ''}", "died with"),
    ],
)
def test_a_child_that_dies_says_its_last_words_and_the_next_request_has_another(
    stand_in: Stand, do: str, said: str
) -> None:
    process = stand_in()
    process.run("seed", {})
    with pytest.raises(EngineError, match=said):
        process.run("convert", {"do": do})
    assert process.run("convert", {})["count"] == 1


def test_a_child_that_was_killed_while_idle_is_replaced(stand_in: Stand) -> None:
    process = stand_in()
    pid = process.run("convert", {})["pid"]
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert process.run("convert", {})["pid"] != pid


def test_an_idle_child_ends(stand_in: Stand) -> None:
    process = stand_in(idle_seconds=0.1)
    assert is_gone(process.run("convert", {})["pid"])
    assert process.run("convert", {})["count"] == 1


def test_a_closed_one_ends_at_once(stand_in: Stand) -> None:
    process = stand_in()
    pid = process.run("convert", {})["pid"]
    process.close()
    assert is_gone(pid)


def test_an_interrupted_child_gives_no_late_answer(stand_in: Stand) -> None:
    process = stand_in()
    pid = process.run("convert", {})["pid"]
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        process.run("convert", {"do": "time.sleep(30)"})
    assert is_gone(pid)
    assert process.run("seed", {})["action"] == "seed"


def test_another_environment_gets_another_child(stand_in: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    process = stand_in()
    monkeypatch.setenv("X", "first")
    assert process.run("convert", {})["x"] == "first"
    monkeypatch.setenv("X", "second")
    assert process.run("convert", {})["x"] == "second"


def test_a_fork_has_a_child_of_its_own(stand_in: Stand) -> None:
    process = stand_in()
    pid = process.run("convert", {})["pid"]
    if not (fork := os.fork()):
        os._exit(0 if process.run("convert", {})["pid"] != pid else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1]) == 0
    assert process.run("convert", {})["pid"] == pid


def test_the_real_child_answers_line_by_line() -> None:
    backbone = {**find_backbone("resnet18").as_dict(), "describer": "nowhere:nothing"}
    line = json.dumps({"action": "describe", "request": {"backbone": backbone}})
    answers = io.StringIO()
    torch_child.serve(io.StringIO(f"{line}\n{line}\n"), answers)
    said = [json.loads(answer) for answer in answers.getvalue().splitlines()]
    assert [answer["error"] for answer in said] == ["WeightsError", "WeightsError"]
    assert "'nowhere:nothing' names no function" in said[0]["message"]
