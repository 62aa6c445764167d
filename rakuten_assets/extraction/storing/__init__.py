"""Feature rows on storage: the resumable row store, shards, and matrices merged from them."""
