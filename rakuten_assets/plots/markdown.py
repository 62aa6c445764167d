"""A picture inside a line of Markdown, for Dagster's metadata and notebooks."""

import base64


def png_markdown(png: bytes, alt: str) -> str:
    """Markdown that shows a picture without a file or a network: the bytes are part of the text.

    >>> png_markdown(b"PNG", "train [27 classes]")
    '![train (27 classes)](data:image/png;base64,UE5H)'
    """
    text = " ".join(alt.split()).replace("[", "(").replace("]", ")").replace("\\", "/")
    return f"![{text}](data:image/png;base64,{base64.b64encode(png).decode('ascii')})"
