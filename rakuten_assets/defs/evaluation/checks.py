"""Checks of splits, heads and scores. They run in the step that makes the asset."""

RANDOM_CHECKS = {"every_class_on_both_sides": "Every class has rows in train and in validation."}
GROUPED_CHECKS = {
    "no_group_spans_the_split": "No duplicate of a validation row is in train.",
    **RANDOM_CHECKS,
}
HELD_OUT_CHECKS = {
    "every_row_predicted": "Out of folds every train row is predicted once; probabilities sum to one.",
    "no_group_spans_folds": "Every group of duplicates is in one fold.",
}
HEAD_CHECKS = {"converged": "The solver met its tolerance."}
REPORT_CHECKS = {
    "above_majority": "Weighted F1 without leakage is above that of always saying the largest class. Seeded weights "
    "only warn: their features mean nothing."
}
SUSPECT_CHECKS = {"suspect_share": "Share of train rows whose label is suspect."}
PREDICTION_CHECKS = {
    "predictions_complete": "Every test row has one prediction, a known class.",
    "probabilities_valid": "Probabilities lie between 0 and 1 and sum to one.",
}
QUALITY_CHECKS = {
    "dimensions_alive": "Share of dimensions that are the same in every row.",
    "test_like_train": "Test features look like train's: a linear classifier, and distances of their distributions.",
}
"""Verdicts by the size of a difference: with many rows every difference is significant."""
