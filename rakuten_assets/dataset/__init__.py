"""The challenge's files as tables: folder layout, CSV contract, manifest, shards, labels, synthetic data."""
