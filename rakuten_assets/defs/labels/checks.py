"""Checks of encoder, labels and weights. They run in the step that makes the asset."""

ENCODER_CHECKS = {"numeric_bijection": "Codes in numeric order are one to one with labels 0 to n-1."}
LABEL_CHECKS = {
    "labels_match_rows": "One int64 label a train row, in CSV order, that decodes to the row's code."
}
WEIGHT_CHECKS = {"weights_sum_to_rows": "Weights are positive; those of all rows sum to the number of rows."}
