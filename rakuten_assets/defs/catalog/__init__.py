"""Stage 2: what images there are, and what each of them is."""
