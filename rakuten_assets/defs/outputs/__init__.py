"""Publication: the last asset, by which everything that belongs together is put in place."""
