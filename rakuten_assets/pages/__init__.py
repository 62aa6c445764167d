"""Reports as single HTML pages that open from disk: their frame, their look, and what they are put together from."""
