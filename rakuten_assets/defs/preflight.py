"""What a run needs, checked before its first step.

So that no run scans for minutes and then fails for a reason that was there at its start.
"""

from collections.abc import Collection, Mapping
from itertools import chain

from rakuten_assets.backbones import find_backbone
from rakuten_assets.backbones.specification import PRETRAINED
from rakuten_assets.dataset.layout import SPLITS
from rakuten_assets.dataset.sharding import shard_keys
from rakuten_assets.defs.features.names import shards_key
from rakuten_assets.defs.shards import span_of_run
from rakuten_assets.errors import ManifestError
from rakuten_assets.settings import Settings
from rakuten_assets.storage import Storage, claimed


def check_run(settings: Settings, steps: Collection[str], tags: Mapping[str, str]) -> None:
    """Refuse a run that would fail later: shards that nobody named, a storage that cannot be written, no weights, no
    way to int8, no statistics to normalise by.

    Args:
        steps: keys of the run's steps: an asset's key with its parts joined by `__`.
        tags: the run's, which hold its partitions.

    Raises:
        RakutenAssetsError: the one that the failing step would raise.
    """
    features = {name: _features(name) for name in settings.backbones}
    by_shard = [step for step in ("image_scan", *chain(*features.values())) if step in steps]
    if by_shard and not span_of_run(tags):
        keys = shard_keys(settings.shards)
        names = ", ".join(step.replace("__", "/") for step in by_shard)
        raise ManifestError(
            f"{names}: split into {len(keys)} shards, and this run names none. In the interface choose them when you "
            "materialise; at a terminal: dagster asset materialize -m rakuten_assets.definitions --select '*' "
            f"--partition-range {keys[0]}...{keys[-1]}"
        )
    claimed(Storage(settings.storage, settings.shards))
    extracts = any(step in steps for step in chain(*features.values()))
    if extracts and settings.normalisation == "dataset" and "dataset_statistics" not in steps:
        from rakuten_assets.extraction.preparation import dataset_normalisation

        dataset_normalisation(settings)
    for name, made in features.items():
        if any(step in steps for step in made):
            from rakuten_assets.extraction.networks.weights import find_weights
            from rakuten_assets.extraction.preparation import prepare

            backbone, weights = find_backbone(name), settings.weights_of(name)
            if weights == PRETRAINED and backbone.describer:  # Its library alone knows which they are.
                prepare(settings, name, lambda message: None)
            else:  # It reads the file's digest; it loads no library.
                find_weights(backbone, weights, settings.allow_download)
            if settings.precision == "int8":
                from rakuten_assets.extraction.preparation import refuse_unable_quantisation

                refuse_unable_quantisation(settings, name)


def _features(name: str) -> list[str]:
    return ["__".join(shards_key(find_backbone(name), split)) for split in SPLITS]
