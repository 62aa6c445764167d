"""The validation report: what a head is worth, in figures, pictures and one page."""
