"""Stage 1: the three CSV files of the challenge."""
