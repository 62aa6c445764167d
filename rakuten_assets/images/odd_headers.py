"""Header fields of a JPEG that decoders remark on and that no pixel depends on.

libjpeg warns of four of them, and then decodes as if the field held the usual value:

| field | warning | decoded as |
|---|---|---|
| JFIF revision (APP0) other than 1.x | unknown JFIF revision number | 1.x |
| colour transform (Adobe's APP14) that is none of 0, 1, 2 | Unknown Adobe color transform code | YCbCr, YCCK |
| range and bits of a sequential image's scan (SOS) | Invalid SOS parameters | 0 to 63, all bits |
| colour profile (APP2) whose parts do not make a whole | bad ICC marker | without a profile |

A strict decode ends at its first warning, so a remark about a header would hide whether the pixels are whole. With
the usual values in place the decoder has nothing to remark, and says what it thinks of the data. (Sources:
`examine_app0`, `default_decompress_parms`, `start_pass_huff_decoder` and `jpeg_read_icc_profile` in libjpeg-turbo.)
"""

from __future__ import annotations

from rakuten_assets.images.jpeg import JpegHeader, segments_from

_REMARKS = (
    "unknown JFIF revision number",
    "Unknown Adobe color transform code",
    "Invalid SOS parameters",
    "bad ICC marker",
)
_APP0, _APP2, _APP14, _SOS = 0xE0, 0xE2, 0xEE, 0xDA
_PROFILE = b"ICC_PROFILE\0"
_SEQUENTIAL_SCAN = b"\0\x3f\0"


def is_header_remark(said: str) -> bool:
    """Whether a decoder's warning is about a field that no pixel depends on."""
    return any(remark in said for remark in _REMARKS)


def with_usual_fields(content: bytes, header: JpegHeader) -> bytes:
    """The same JPEG with the usual values in these fields: it has the same pixels."""
    usual = bytearray(content)
    for marker, body in segments_from(content, 2):
        length = int.from_bytes(content[body : body + 2], "big")
        if marker == _APP0 and content.startswith(b"JFIF\0", body + 2) and length >= 9:
            usual[body + 7] = 1
        elif marker == _APP2 and content.startswith(_PROFILE, body + 2):
            usual[body + 2] = 0  # no longer a profile's part: profiles are reported, never applied
        elif marker == _APP14 and content.startswith(b"Adobe", body + 2) and length >= 14:
            if content[body + 13] > 2 or (content[body + 13], header.components) in ((1, 4), (2, 3)):
                usual[body + 13] = 2 if header.components == 4 else 1
        elif marker == _SOS and not header.progressive:
            usual[body + length - 3 : body + length] = _SEQUENTIAL_SCAN
    return bytes(usual)
