"""A storage on a bucket: a scrape that finds figures young enough costs no request, and none is older than it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from prometheus_client import generate_latest

from rakuten_assets.metrics import stored
from rakuten_assets.metrics.collector import PartsCollector, registry_of
from rakuten_assets.metrics.names import Part, Values
from rakuten_assets.metrics.parts import CachedPart
from rakuten_assets.storage.files import write_bytes
from rakuten_assets.storage.reading import at_address
from rakuten_assets_tests.bucket import BUCKET, BucketServer
from rakuten_assets_tests.metrics.scrape import parsed
from rakuten_assets_tests.readiness.conftest import EXTRACTOR, ReadyStorage

# Of a storage in two shards with one extractor: 13 when this was written.
MOST_REQUESTS = 15


def test_requests_are_made_once_in_a_while_and_see_what_others_wrote(
    server: BucketServer, storage: ReadyStorage
) -> None:
    root = at_address(f"s3://{BUCKET}/storage")
    mine = [file for file in Path(storage.root).rglob("*") if file.is_file()]
    later = [file for file in mine if EXTRACTOR in file.parts and "metadata" in file.parts]
    assert later
    for file in mine:
        if file not in later:
            write_bytes(root / file.relative_to(storage.root).as_posix(), file.read_bytes())
    read: dict[Part, Callable[[], Values]] = {
        "images": lambda: stored.images(root),
        "extractors": lambda: stored.extractors(root, []),
        "published": lambda: stored.published(root),
    }
    time = [0.0]
    parts = [CachedPart(name, look, 60, lambda _: None, lambda: time[0]) for name, look in read.items()]
    registry = registry_of(PartsCollector(parts, patience=60))

    def scrape() -> tuple[int, dict[tuple[str, ...], float]]:
        server.forget()
        errors = parsed(generate_latest(registry).decode()).of("rakuten_scrape_error")
        return len(server.requests), errors

    requests, errors = scrape()
    print(f"{requests} requests")
    assert errors == {("images",): 0, ("extractors",): 1, ("published",): 0}
    for file in later:
        # By somebody else's client: this process is not told.
        server.client.put_object(
            Bucket=BUCKET, Key=f"storage/{file.relative_to(storage.root).as_posix()}", Body=file.read_bytes()
        )
    time[0] = 59
    assert scrape() == (0, errors)
    time[0] = 60
    requests, errors = scrape()
    print(f"{requests} requests")
    assert set(errors.values()) == {0}
    assert 0 < requests <= MOST_REQUESTS
