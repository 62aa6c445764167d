"""What image files say of themselves, format by format: read from their bytes alone, without a decoder.

Nothing here allocates by a number that a file claims, so limits can be applied before any library sees the file.
"""
