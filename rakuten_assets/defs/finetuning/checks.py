"""Checks of fine-tuned weights. They run in the step that makes them."""

WEIGHTS_CHECKS = {
    "no_validation_row_trained_on": "No row that validates, and no duplicate of one, is trained on.",
    "better_than_frozen": "Weighted F1 on the grouped split is above that of the weights before training.",
}
