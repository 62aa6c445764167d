"""Stage 4: feature vectors by shard, merged into matrices, and the metadata of the whole."""
