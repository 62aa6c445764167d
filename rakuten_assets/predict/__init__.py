"""A trained head applied to any folder of pictures."""
