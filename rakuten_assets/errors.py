"""Every error that this project raises on purpose.

Each message says three things: what is wrong, where (file, row, value), and how to mend it. A caller
catches `RakutenAssetsError` to tell a refusal with a way out from a defect.
"""


class RakutenAssetsError(Exception):
    """Base of the family."""


class SettingsError(RakutenAssetsError):
    """A setting (environment variable or `.env` line) has a value that is not allowed."""


class CatalogError(RakutenAssetsError):
    """The challenge's folder or one of its CSV files breaks the contract."""


class ManifestError(RakutenAssetsError):
    """Rows, shards and stored results do not fit together."""


class UndecodableImageError(RakutenAssetsError):
    """An image's bytes do not decode whole.

    Attributes:
        reason: a code of `rakuten_assets.images.reasons.Reason`.
        detail: what the decoder said, for a person.
        format: the image's format where that is why it does not decode, else "".
    """

    def __init__(self, reason: str, detail: str = "", format: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail
        self.format = format


class WeightsError(RakutenAssetsError):
    """A weights file is missing, damaged, or does not belong to the backbone."""


class EngineError(RakutenAssetsError):
    """An inference engine or a precision cannot run on this machine."""


class StoreError(RakutenAssetsError):
    """A stored file is missing, damaged or does not match what asked for it."""


class WriteError(StoreError, OSError):
    """A file cannot be written: no room, no permission, not a folder. What was there before is intact."""

    def __init__(self, message: str, errno: int | None = None) -> None:
        super().__init__(message)
        self.errno = errno

    @property
    def reason(self) -> str:
        """The system's own words, for a sentence about something larger than the file."""
        cause = self.__cause__
        return getattr(cause, "strerror", None) or str(cause or self)


class UnreachableError(RakutenAssetsError, OSError):
    """A store or the network did not answer, or cannot now. Nothing is known of the file: ask again later."""


class AugmentationError(RakutenAssetsError):
    """An augmentation, a picture for it, or a data set of pictures is asked for something that is not possible."""


class DeliveryError(RakutenAssetsError):
    """A message did not reach the webhook."""


class MetricsError(RakutenAssetsError):
    """The exporter of metrics cannot start."""


class DeploymentError(RakutenAssetsError):
    """A deployment's files cannot be written where they were asked for."""


def in_a_line(error: BaseException) -> str:
    """What somebody else's error says, as a part of a sentence: its first 300 characters, without line breaks."""
    return " ".join(str(error).split())[:300]
