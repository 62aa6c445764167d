"""Whether features are fit to train on, and whether test looks like train."""
