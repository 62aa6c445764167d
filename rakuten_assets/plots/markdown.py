"""A picture inside a line of Markdown, for Dagster's metadata and notebooks."""

import base64

_JPEG_SIGNATURE = b"\xff\xd8\xff"


def picture_markdown(picture: bytes, alt: str) -> str:
    """Markdown that shows a picture (PNG or JPEG) without a file or a network: the bytes are part of the text.

    >>> picture_markdown(b"PNG", "train [27 classes]")
    '![train (27 classes)](data:image/png;base64,UE5H)'
    """
    text = " ".join(alt.split()).replace("[", "(").replace("]", ")").replace("\\", "/")
    kind = "jpeg" if picture.startswith(_JPEG_SIGNATURE) else "png"
    return f"![{text}](data:image/{kind};base64,{base64.b64encode(picture).decode('ascii')})"
