"""Networks and their weights: what is on offer, where weights come from, how a network becomes an engine's model."""
