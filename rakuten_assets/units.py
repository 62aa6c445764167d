"""Numbers as people read them: the one place that formats a size, a duration or a rate."""

_BINARY_PREFIXES = ("B", "KiB", "MiB", "GiB", "TiB")


def human_bytes(count: float) -> str:
    """Format a number of bytes.

    >>> human_bytes(532)
    '532 B'
    >>> human_bytes(434_769_920)
    '414.6 MiB'
    """
    value = float(count)
    for prefix in _BINARY_PREFIXES[:-1]:
        if abs(value) < 1024:
            return f"{value:.0f} {prefix}" if prefix == "B" else f"{value:.1f} {prefix}"
        value /= 1024
    return f"{value:.1f} {_BINARY_PREFIXES[-1]}"


def human_duration(seconds: float) -> str:
    """Format a duration given in seconds.

    >>> human_duration(0.0123)
    '12 ms'
    >>> human_duration(75)
    '1 min 15 s'
    >>> human_duration(7261)
    '2 h 01 min'
    """
    if seconds < 0.9995:
        return f"{seconds * 1e3:.0f} ms"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def counted(count: int, one: str, many: str = "") -> str:
    """Format a count of things; `many` where it is not `one` with an s.

    >>> counted(1, "group"), counted(2000, "group"), counted(1, "copy is", "copies are")
    ('1 group', '2,000 groups', '1 copy is')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def human_count(count: int) -> str:
    """Format a count with thousands separated.

    >>> human_count(84916)
    '84,916'
    """
    return f"{count:,}"
