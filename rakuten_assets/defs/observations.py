"""What is on record of external assets: which version of a file was seen last."""

from collections.abc import Iterator, Mapping

import dagster as dg


def new_observations(
    versions: Mapping[str, str], instance: dg.DagsterInstance
) -> Iterator[dg.AssetObservation]:
    """Observations of those files whose version is not the one on record."""
    for key, version in versions.items():
        records = instance.fetch_observations(dg.AssetKey(key), limit=1).records
        observed = records[0].asset_observation if records else None
        if observed is None or (observed.tags or {}).get("dagster/data_version") != version:
            yield dg.AssetObservation(key, tags={"dagster/data_version": version})
