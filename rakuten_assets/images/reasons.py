"""The fault taxonomy: what a scan can say about an image, in fixed codes that reports and filters rely on.

| status | means | valid for features |
|---|---|---|
| `ok` | the image decodes whole; `reason` is empty or a remark | yes |
| `unreadable` | it does not decode whole; `reason` says why | no |
| `missing` | there is no file | no |
"""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """Whether an image can be used."""

    OK = "ok"
    UNREADABLE = "unreadable"
    MISSING = "missing"


class Reason(StrEnum):
    """Why an image cannot be used, or what is remarkable about one that can."""

    NONE = ""
    MISSING = "missing"
    UNREADABLE_FILE = "unreadable_file"
    EMPTY = "empty"
    FILE_TOO_LARGE = "file_too_large"
    NOT_AN_IMAGE = "not_an_image"
    UNSUPPORTED_FORMAT = "unsupported_format"
    DAMAGED_HEADER = "damaged_header"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MUCH_MEMORY = "too_much_memory"
    UNSUPPORTED_MODE = "unsupported_mode"
    TRUNCATED = "truncated"
    CORRUPT_SCAN = "corrupt_scan"
    DECODER_WARNING = "decoder_warning"
    DECODER_FAILURE = "decoder_failure"
    WRONG_FORMAT = "wrong_format"
    ANIMATED = "animated"
    TRAILING_BYTES = "trailing_bytes"
    ODD_HEADER = "odd_header"


REMARKS = frozenset(
    {Reason.NONE, Reason.WRONG_FORMAT, Reason.ANIMATED, Reason.TRAILING_BYTES, Reason.ODD_HEADER}
)
"""Reasons that go with status `ok`."""

DESCRIPTIONS: dict[Reason, str] = {
    Reason.NONE: "decodes whole, nothing to remark",
    Reason.MISSING: "no file at the expected path",
    Reason.UNREADABLE_FILE: "the file cannot be read: permission, a folder in its place, or an I/O error",
    Reason.EMPTY: "the file has no bytes",
    Reason.FILE_TOO_LARGE: "more bytes than RAKUTEN_MAX_FILE_BYTES allows; refused without reading it",
    Reason.NOT_AN_IMAGE: "the bytes are not those of any known image format",
    Reason.UNSUPPORTED_FORMAT: "an image of a format that is not decoded here (AVIF, HEIC, JPEG 2000, camera raw...)",
    Reason.DAMAGED_HEADER: "begins like an image of a known format, but its header makes no sense",
    Reason.TOO_MANY_PIXELS: "more pixels than RAKUTEN_MAX_PIXELS allows; refused from the header, before any decode",
    Reason.TOO_MUCH_MEMORY: "decoding takes more memory than RAKUTEN_MAX_MEMORY allows, or than there is",
    Reason.UNSUPPORTED_MODE: "pixels that have no exact 8-bit RGB form (16-bit, floating point)",
    Reason.TRUNCATED: "the file ends before the image does",
    Reason.CORRUPT_SCAN: "the compressed pixel data is damaged",
    Reason.DECODER_WARNING: "the decoder finds something wrong that may or may not show in the pixels",
    Reason.DECODER_FAILURE: "the decoder stopped with an error of its own, which says nothing certain of the file",
    Reason.WRONG_FORMAT: "decodes whole, but the format is not the one that the file's name says",
    Reason.ANIMATED: "decodes whole, but holds several frames; the first one counts",
    Reason.TRAILING_BYTES: "decodes whole, but bytes follow the end of the image",
    Reason.ODD_HEADER: "decodes whole, with a header field that decoders remark on and that no pixel depends on",
}
"""One sentence a reason, for reports and documentation."""


def status_of(reason: Reason) -> Status:
    """The status that goes with `reason`."""
    if reason is Reason.MISSING:
        return Status.MISSING
    return Status.OK if reason in REMARKS else Status.UNREADABLE
