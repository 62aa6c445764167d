import pytest

from rakuten_assets.errors import CatalogError
from rakuten_assets.synthetic import worker_pool
from rakuten_assets.synthetic.encoding import ImageTask, write_chunk
from rakuten_assets.synthetic.worker_pool import write_images

TASKS = [ImageTask(f"{number}.jpg", 1280, number, "blank", number, "") for number in range(40)]


@pytest.fixture(autouse=True)
def two_workers_for_few_images(monkeypatch):
    monkeypatch.setattr(worker_pool, "_IMAGES_WORTH_A_WORKER", 10)


@pytest.mark.parametrize("count", [1, 2])
def test_all_files_are_written_and_counted(tmp_path, count):
    answers = list(write_images(TASKS, tmp_path, count))
    assert sum(images for images, _ in answers) == 40
    assert sum(size for _, size in answers) == sum(path.stat().st_size for path in tmp_path.iterdir())
    assert {path.name for path in tmp_path.iterdir()} == {task.file for task in TASKS}


@pytest.mark.parametrize("count", [1, 2])
def test_a_file_that_cannot_be_written_is_reported(tmp_path, count):
    bad = [*TASKS[:20], ImageTask("no/such/folder.jpg", 1280, 1, "", 0, "")]
    with pytest.raises((CatalogError, OSError), match=r"no/such/folder\.jpg"):
        list(write_images(bad, tmp_path, count))


@pytest.mark.parametrize("count", [1, 2])
def test_what_the_disk_refuses_is_the_disks_error_whoever_writes(tmp_path, count):
    (tmp_path / "file").write_bytes(b"")
    bad = [*TASKS[:20], ImageTask("file/a.jpg", 1280, 1, "", 0, "")]
    with pytest.raises(NotADirectoryError) as caught:
        list(write_images(bad, tmp_path, count))
    assert caught.value.filename == str(tmp_path / "file" / "a.jpg")


def test_a_worker_that_dies_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(worker_pool, "_WORKER_MODULE", "keyword")  # Says nothing and ends.
    with pytest.raises(CatalogError, match="ended early"):
        list(write_images(TASKS, tmp_path, 2))


def test_no_tasks_no_work(tmp_path):
    assert list(write_images([], tmp_path, 2)) == []


def test_a_chunk_is_counted(tmp_path):
    images, size = write_chunk(TASKS[:3], tmp_path)
    assert (images, size) == (3, sum(path.stat().st_size for path in tmp_path.iterdir()))
