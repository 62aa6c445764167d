"""Whether an error says that a store or the network did not answer this time, or that something is wrong for good."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from upath import UPath

from rakuten_assets.errors import RakutenAssetsError, UnreachableError

_NUMBERS = frozenset(
    {
        errno.ESTALE,  # of a mount over the network
        errno.ETIMEDOUT,
        errno.ECONNABORTED,
        errno.ECONNREFUSED,
        errno.ECONNRESET,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENETUNREACH,
    }
)
# By name: none of these packages need be there. botocore's and aiohttp's descend from no error of Python's own.
_CLASSES = frozenset(
    {
        "aiohttp.client_exceptions.ClientConnectionError",
        "aiohttp.client_exceptions.ClientPayloadError",
        "botocore.exceptions.ConnectionError",
        "botocore.exceptions.HTTPClientError",
        "botocore.exceptions.IncompleteReadError",
        "botocore.exceptions.ResponseStreamingError",
        "http.client.IncompleteRead",
        "http.client.RemoteDisconnected",
        "httpx.TransportError",
        "httpx2.TransportError",
        "requests.exceptions.ConnectionError",
        "requests.exceptions.Timeout",
        "urllib3.exceptions.HTTPError",
    }
)
_STATUS = frozenset({408, 425, 429})
_CODES = frozenset(
    {"RequestTimeout", "RequestTimeTooSkewed", "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded"}
)  # fmt: skip


def is_transient(error: BaseException) -> bool:
    """Whether to ask again later has a chance: an unreachable or overloaded store, a connection that broke.

    A refusal (no permission, no such file, no room) and everything about content is none of these, and a server's own
    answer decides over what a client made of it.
    """
    chain = list(_chain(error))
    answers = [answer for one in chain if (answer := _answer(one)) is not None]
    if answers:
        return answers[-1]
    return any(_is_of_network(one) for one in chain)


@contextmanager
def client_errors(path: Path | UPath) -> Iterator[None]:
    """Turn the errors that clients of buckets have of their own into the usual one.

    Args:
        path: what is read, for the message.

    Raises:
        UnreachableError: where asking again later has a chance.
    """
    try:
        yield
    except (MemoryError, TypeError, AttributeError, RakutenAssetsError):  # mistakes are not the store's
        raise
    except Exception as error:
        if is_transient(error):
            reason = str(error) or type(error).__name__
            raise UnreachableError(f"{path} cannot be read: the store did not answer: {reason}") from error
        if isinstance(error, OSError):
            raise
        raise OSError(f"{type(error).__name__}: {error}") from error


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was raised from, and so on."""
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        yield current
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)


def _answer(error: BaseException) -> bool | None:
    """What a server answered, as its client keeps it; None where the error holds no answer."""
    response = getattr(error, "response", None)
    if not isinstance(response, dict):
        # aiohttp's `status`, and the `code` of urllib and gcsfs.
        for number in (getattr(error, "status", None), getattr(error, "code", None)):
            if isinstance(number, int) and 100 <= number < 600:
                return number >= 500 or number in _STATUS
        return None
    about, told = response.get("ResponseMetadata"), response.get("Error")
    status = about.get("HTTPStatusCode") if isinstance(about, dict) else None
    code = told.get("Code") if isinstance(told, dict) else None
    if not isinstance(status, int):
        return None
    return status >= 500 or status in _STATUS or code in _CODES


def _is_of_network(error: BaseException) -> bool:
    if isinstance(error, BrokenPipeError):  # to a process of ours, as a rule
        return False
    # Ours may come from another process, without what it was raised from.
    if isinstance(error, (ConnectionError, TimeoutError, socket.gaierror, UnreachableError)):
        return True
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return bool(names & _CLASSES) or (isinstance(error, OSError) and error.errno in _NUMBERS)
