"""From features to an honest score."""
