import errno
import multiprocessing
import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from upath import UPath

from rakuten_assets.errors import EngineError, ManifestError, StoreError
from rakuten_assets.extraction import pipeline
from rakuten_assets.extraction.pipeline import ROWS_OF_A_COMMIT, ExtractionReport, Extractor
from rakuten_assets.extraction.storing.speed import Speed, recorded_speed
from rakuten_assets.settings import Settings
from rakuten_assets_tests.extraction.conftest import MakeImages, jpeg_bytes, sha256_of
from rakuten_assets_tests.extraction.fake_engine import DIM, FakeEngine, features_of, install


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> FakeEngine:
    engine = FakeEngine()
    install(engine, monkeypatch)
    return engine


def extract(
    storage: Any,
    files: Sequence[Path],
    sha256: Sequence[str] | None = None,
    log: Any = lambda message: None,
    **knobs: Any,
) -> tuple[np.ndarray, ExtractionReport]:
    digests = sha256_of(files) if sha256 is None else sha256
    out = np.full((len(files), DIM), np.nan, np.float32)
    with Extractor.open(
        Settings(storage=UPath(storage), **{"backbone": "efficientnet_lite0", **knobs}), log=log
    ) as extractor:
        report = extractor.extract(files, digests, out)
    return out, report


def expected_rows(files: Sequence[Path]) -> np.ndarray:
    rows = []
    for file in files:
        image = Image.open(file).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
        rows.append(features_of(np.asarray(image)))
    return np.stack(rows)


def counts(report: ExtractionReport) -> tuple[int, int, int, int]:
    return report.computed, report.reused, report.deduplicated, report.invalid


def test_rows_are_in_order_and_reused_without_an_engine(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine
) -> None:
    files = make_images(15)
    out, report = extract(tmp_path, files)
    assert np.array_equal(out, expected_rows(files))
    assert counts(report) == (15, 0, 0, 0)
    assert (engine.opened, engine.closed) == (1, 1)
    again, report = extract(tmp_path, files)
    assert again.tobytes() == out.tobytes()
    assert counts(report) == (0, 15, 0, 0)
    assert engine.opened == 1


def test_invalid_rows_are_zero_and_twins_are_computed_once(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine
) -> None:
    files = make_images(4)
    files = [files[0], files[1], files[0], files[2], files[1], files[0], files[3]]
    sha256 = sha256_of(files)
    sha256[3] = ""
    out, report = extract(tmp_path, files, sha256)
    expected = expected_rows(files)
    expected[3] = 0.0
    assert np.array_equal(out, expected)
    assert counts(report) == (3, 0, 3, 1)
    assert engine.images == 3
    assert sum(counts(report)) == len(files)


def test_nothing_and_nothing_valid(tmp_path: Path, make_images: MakeImages, engine: FakeEngine) -> None:
    out, report = extract(tmp_path, [])
    assert out.shape == (0, DIM)
    out, report = extract(tmp_path, make_images(3), ["", "", ""])
    assert not out.any()
    assert counts(report) == (0, 0, 0, 3)
    assert engine.opened == 0


def test_only_new_content_is_computed(tmp_path: Path, make_images: MakeImages, engine: FakeEngine) -> None:
    files = make_images(12)
    extract(tmp_path, files)

    def computed(files: Sequence[Path]) -> int:
        out, report = extract(tmp_path, files)
        assert np.array_equal(out, expected_rows(files))
        return report.computed

    assert computed(files[:7]) == 0
    assert computed(files[::-1]) == 0
    assert computed(files + make_images(3, first_seed=50)) == 3
    files[4].write_bytes(jpeg_bytes(99))
    assert computed(files) == 1
    shutil.copy(files[2], files[8])
    assert computed(files) == 0
    renamed = [shutil.move(file, file.with_name("renamed-" + file.name)) for file in files]
    assert computed(renamed) == 0


def test_an_open_extractor_sees_what_another_has_computed(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine
) -> None:
    files = make_images(5)
    with Extractor.open(
        Settings(storage=UPath(tmp_path), backbone="efficientnet_lite0"), log=print
    ) as extractor:
        extract(tmp_path, files)
        report = extractor.extract(files, sha256_of(files), np.empty((5, DIM), np.float32))
    assert counts(report) == (0, 5, 0, 0)


def test_another_fingerprint_shares_nothing(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine
) -> None:
    files = make_images(5)
    extract(tmp_path, files)
    for change in ({"preprocessing": "preset"}, {"precision": "bf16"}, {"engine": "torch"}):
        _, report = extract(tmp_path, files, **change)
        assert counts(report) == (5, 0, 0, 0), change
    _, report = extract(tmp_path, files, threads=7, batch_size=3)
    assert counts(report) == (0, 5, 0, 0)


def test_storage_may_be_a_bucket(make_images: MakeImages, engine: FakeEngine, tmp_path: Path) -> None:
    files = make_images(5)
    bucket = UPath(f"memory://{tmp_path.name}/storage")
    out, _ = extract(bucket, files)
    again, report = extract(bucket, files)
    assert again.tobytes() == out.tobytes()
    assert counts(report) == (0, 5, 0, 0)


def test_out_may_be_a_memory_map(tmp_path: Path, make_images: MakeImages, engine: FakeEngine) -> None:
    files = make_images(6)
    out = np.lib.format.open_memmap(tmp_path / "out.npy", "w+", np.float32, (6, DIM))
    with Extractor.open(
        Settings(storage=UPath(tmp_path), backbone="efficientnet_lite0"), log=print
    ) as extractor:
        extractor.extract(files, sha256_of(files), out)
    out.flush()
    assert np.array_equal(np.load(tmp_path / "out.npy"), expected_rows(files))


def test_files_that_changed_since_the_scan_are_named_and_the_rest_is_kept(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine
) -> None:
    files = make_images(9)
    sha256 = sha256_of(files)
    files[2].write_bytes(jpeg_bytes(77))
    files[5].unlink()
    out = np.full((9, DIM), np.nan, np.float32)
    with (
        Extractor.open(
            Settings(storage=UPath(tmp_path), backbone="efficientnet_lite0"), log=print
        ) as extractor,
        pytest.raises(ManifestError) as caught,
    ):
        extractor.extract(files, sha256, out)
    message = str(caught.value)
    assert "2 images are not what image_scan saw; re-run image_scan" in message
    assert f"{files[2]}: its content has changed since the scan" in message
    assert f"{files[5]}: cannot be read: No such file" in message
    good = [row for row in range(9) if row not in (2, 5)]
    assert np.array_equal(out[good], expected_rows([files[row] for row in good]))
    assert not out[[2, 5]].any()
    # What the message says: after a new scan, only the changed ones are computed.
    sha256 = [
        "" if row == 5 else digest
        for row, digest in enumerate(sha256_of([f for f in files if f != files[5]]))
    ]
    _, report = extract(tmp_path, [file for file in files if file != files[5]])
    assert counts(report) == (1, 7, 0, 0)


def test_an_image_that_does_not_decode_is_named(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine
) -> None:
    files = make_images(3)
    files[1].write_bytes(files[1].read_bytes()[:200])
    with pytest.raises(ManifestError, match=rf"{files[1].name}: does not decode: "):
        extract(tmp_path, files)
    with pytest.raises(ManifestError, match="does not decode: file_too_large"):
        extract(tmp_path / "other", files[:1], max_file_bytes=100)


def test_many_changed_files_make_a_short_message(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine
) -> None:
    files = make_images(30)
    with pytest.raises(ManifestError, match=r"30 images[\s\S]*and 20 more") as caught:
        extract(tmp_path, files, ["ab" * 31 + f"{number:02x}" for number in range(30)])
    assert len(str(caught.value).splitlines()) == 12


def test_arguments_that_do_not_fit_are_refused(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine
) -> None:
    files = make_images(2)
    with Extractor.open(
        Settings(storage=UPath(tmp_path), backbone="efficientnet_lite0"), log=print
    ) as extractor:
        for sha256, out in (
            (sha256_of(files)[:1], np.zeros((2, DIM), np.float32)),
            (sha256_of(files), np.zeros((2, DIM), np.float64)),
            (sha256_of(files), np.zeros((3, DIM), np.float32)),
            (["xyz", ""], np.zeros((2, DIM), np.float32)),
        ):
            with pytest.raises(ValueError, match=r"sha256|float32"):
                extractor.extract(files, sha256, out)


def test_an_engines_error_ends_the_run_with_finished_rows_kept(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = make_images(40)
    infer = engine.infer

    def failing(images: np.ndarray) -> np.ndarray:
        if engine.images >= 20:
            raise EngineError("the device is gone")
        return infer(images)

    monkeypatch.setattr(engine, "infer", failing)
    with pytest.raises(EngineError, match="the device is gone"):
        extract(tmp_path, files)
    monkeypatch.setattr(engine, "infer", infer)
    out, report = extract(tmp_path, files)
    assert report.reused >= 18
    assert np.array_equal(out, expected_rows(files))


def test_a_damaged_store_is_reported_and_rebuilt(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine
) -> None:
    files = make_images(8)
    out, _ = extract(tmp_path, files)
    (segment,) = (tmp_path / "cache" / "rows").rglob("*.safetensors")
    for damage in (
        lambda content: content[:5000],
        lambda content: content.replace(out[3].tobytes(), out[4].tobytes()),
    ):
        segment.write_bytes(damage(segment.read_bytes()))
        messages: list[str] = []
        again, report = extract(tmp_path, files, log=messages.append)
        assert again.tobytes() == out.tobytes()
        assert report.computed > 0
        assert any("is damaged" in message for message in messages)
        segment = max(
            (tmp_path / "cache" / "rows").rglob("*.safetensors"), key=lambda path: path.stat().st_size
        )


def test_a_full_disk_keeps_what_was_stored(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = make_images(30)
    monkeypatch.setattr(pipeline, "ROWS_OF_A_COMMIT", 8)
    fsync, calls = os.fsync, [0]

    def filling_up(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] > 5:  # the description and two segments fit: each is a file and its folder
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", filling_up)
    with pytest.raises(StoreError, match=r"No space left on device.*make room"):
        extract(tmp_path, files)
    monkeypatch.setattr(os, "fsync", fsync)
    assert not list((tmp_path / "cache").rglob("*.partial"))
    out, report = extract(tmp_path, files)
    assert report.reused >= 8
    assert np.array_equal(out, expected_rows(files))


class Terminated(BaseException):
    """As Dagster's DagsterExecutionInterruptedError: raised by a signal handler, and no Exception."""


def test_a_termination_ends_the_run_with_the_images_at_hand_and_keeps_rows(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine
) -> None:
    files = make_images(60)
    engine.delay = 0.05

    begun: list[int] = []

    def terminate(number: int, frame: object) -> None:
        begun.append(engine.images)
        raise Terminated

    before = signal.signal(signal.SIGALRM, terminate)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.4)
        with pytest.raises(Terminated):
            extract(tmp_path, files)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    # What each thread had in its hands, and no more.
    assert engine.images <= begun[0] + engine.callers * engine.batch < 60
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("extract")]
    finished = engine.images
    engine.delay = 0.0
    out, report = extract(tmp_path, files)
    # Every image that the engine finished was kept.
    assert report.reused == finished
    assert np.array_equal(out, expected_rows(files))


# The processes below run the fake engine, slowed down, in a fresh interpreter.


_CHILDS_COMMIT = 16
_IN_FLIGHT = 2 * (3 + 2)  # images of a batch; threads and batches ahead of `FakeEngine`


def _child(storage: str, files: list[str], delay: float) -> None:
    pipeline.ROWS_OF_A_COMMIT = _CHILDS_COMMIT
    install(FakeEngine(delay, Path(storage + ".tally")))
    out, _ = extract(storage, [Path(file) for file in files])
    np.save(storage + f".{os.getpid()}.npy", out)


def _kill_and_resume(tmp_path: Path, files: list[Path], kills: int, seed: int) -> None:
    whole, _ = extract(tmp_path / "undisturbed", files)
    delays = random.Random(seed)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    for number in range(kills):
        storage = tmp_path / f"killed-{number}"
        child = context.Process(target=_child, args=(str(storage), [str(file) for file in files], 0.004))
        child.start()
        time.sleep(delays.uniform(0.0, 0.4))
        child.kill()
        child.join()
        out, report = extract(storage, files)
        assert out.tobytes() == whole.tobytes()
        assert report.computed + report.reused == len(files)
        tally = storage.with_name(storage.name + ".tally")
        inferred = tally.stat().st_size if tally.exists() else 0
        assert inferred - report.reused < _CHILDS_COMMIT + _IN_FLIGHT


def test_kill_9_and_resume(tmp_path: Path, make_images: MakeImages, engine: FakeEngine) -> None:
    _kill_and_resume(tmp_path, make_images(100), kills=2, seed=1)


@pytest.mark.slow
def test_kill_9_at_20_moments(tmp_path: Path, make_images: MakeImages, engine: FakeEngine) -> None:
    _kill_and_resume(tmp_path, make_images(100), kills=20, seed=2)


def test_two_processes_at_once(tmp_path: Path, make_images: MakeImages, engine: FakeEngine) -> None:
    files = make_images(80)
    whole, _ = extract(tmp_path / "alone", files)
    context = multiprocessing.get_context("spawn")
    arguments = (str(tmp_path / "shared"), [str(file) for file in files], 0.001)
    children = [context.Process(target=_child, args=arguments) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join(60)
        assert child.exitcode == 0
        assert np.load(tmp_path / f"shared.{child.pid}.npy").tobytes() == whole.tobytes()
    _, report = extract(tmp_path / "shared", files)
    assert counts(report) == (0, 80, 0, 0)


def test_a_crash_loses_few_rows() -> None:
    assert ROWS_OF_A_COMMIT <= 256


def test_describe_says_what_computed_the_rows(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine
) -> None:
    with Extractor.open(
        Settings(storage=UPath(tmp_path), backbone="efficientnet_lite0"), log=print
    ) as extractor:
        before = extractor.describe()
        assert before["engine"]["precision"] == "f32"
        assert before["note"] == ""
        assert before["weights"]["kind"] == "published"
        assert before["fingerprint_digest"] == extractor.fingerprint.digest
        files = make_images(1)
        extractor.extract(files, sha256_of(files), np.empty((1, DIM), np.float32))
        assert extractor.describe()["engine"]["engine"] == "fake"
    # A later run that needs no engine still tells which one made the rows.
    with Extractor.open(
        Settings(storage=UPath(tmp_path), backbone="efficientnet_lite0"), log=print
    ) as extractor:
        assert extractor.describe()["engine"]["engine"] == "fake"


def _speed(storage: Path, **knobs: Any) -> Speed | None:
    settings = Settings(storage=UPath(storage), backbone="efficientnet_lite0", **knobs)
    with Extractor.open(settings, log=lambda message: None) as extractor:
        return recorded_speed(UPath(storage), extractor.fingerprint.digest)


def test_the_speed_of_a_long_run_is_known_to_one_that_computes_nothing(
    tmp_path: Path, make_images: MakeImages, engine: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "ROWS_OF_A_MEASUREMENT", 10)
    files = make_images(30)
    settings = Settings(storage=UPath(tmp_path), backbone="efficientnet_lite0", threads=1)
    with Extractor.open(settings, log=lambda message: None) as extractor:
        for part in (files[:6], files[6:12]):  # shards of one run count together
            extractor.extract(part, sha256_of(part), np.empty((6, DIM), np.float32))
    first = _speed(tmp_path)
    assert first is not None
    assert (first.images, first.threads) == (12, 1)
    assert 0 < first.seconds < 60
    extract(tmp_path, files[:12])
    assert _speed(tmp_path) == first, "nothing was computed"
    extract(tmp_path, files[:15])
    assert _speed(tmp_path) == first, "three are too few to measure"
    extract(tmp_path, files, threads=1)
    assert (second := _speed(tmp_path)) is not None
    assert second.images == 15
    extract(tmp_path, make_images(11, 30), threads=1)
    assert _speed(tmp_path) == second, "a run of fewer images says less"
    extract(tmp_path, make_images(11, 41), threads=2)
    assert (other := _speed(tmp_path)) is not None
    assert (other.images, other.threads) == (11, 2), "but more than one of other threads"


def test_a_short_run_records_no_speed(tmp_path: Path, make_images: MakeImages, engine: FakeEngine) -> None:
    extract(tmp_path, make_images(15))
    assert _speed(tmp_path) is None
