"""Checks of features. They run in the step that makes the asset, before anything is stored; shards' are by shard."""

SHARD_CHECKS = {
    "shape_and_dtype": "float32 (rows, feature_dim), C order.",
    "rows_match_manifest": "The rows are the manifest's, in its order.",
    "finite": "No NaN and no infinity; where there is one, its row and image.",
    "only_quarantined_rows_are_zero": "Quarantined rows are exactly zero; no other row is zero or constant.",
    "no_duplicate_rows": "No row occurs twice, and hardly any vector equals that of another image.",
}
MATRIX_CHECKS = {
    "rows_aligned": "As many vectors as CSV rows, validity flags and (train) labels.",
    "finite": "No NaN and no infinity; quarantined rows are exactly zero.",
}
METADATA_CHECKS = {
    "document_complete": "All keys of the document, counts as in the arrays, one extractor for train and test.",
    "comparable_statistics": "Train and test features look alike: means and spreads of their columns.",
}
