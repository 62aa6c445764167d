"""Whether images can be trusted: strict decoding, fault taxonomy, hashes, borders, duplicates, the report."""
