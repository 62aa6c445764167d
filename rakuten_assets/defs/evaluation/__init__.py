"""Stage 5: splits, heads on frozen features, and what they are worth."""
