"""Fine-tuning of backbones: the last blocks of a network trained on the catalogue, or all of it from scratch.

The result is a weights file like any other: `RAKUTEN_WEIGHTS=<backbone>=<file>` extracts, compares and scores it. A
run that is killed at any moment goes on where its last checkpoint was, to the same bits on a CPU at a fixed number of
threads.
"""
