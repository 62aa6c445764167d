"""The pixel loops of `rendering`, a module a kind, each compiled when it is imported. All of them release the GIL.

Integers wherever a result is a byte, so that every machine gives the same ones. Compiling all takes a few seconds, once
a process; a forked worker inherits what its parent compiled.
"""

MODULES = ("philox", "warping", "colour", "filtering", "planes")
"""Names of the modules that are compiled when they are imported."""
