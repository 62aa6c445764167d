"""What to do about classes of very different size: weights, resampling, a focal loss, and their comparison.

`comparison.imbalance_comparison` measures which of them helps, on folds that do not leak.
"""
