"""What to do about classes of very different size."""
