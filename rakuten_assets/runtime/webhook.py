"""A message to a webhook: one POST of JSON, as Slack's incoming webhooks take it, and most others."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from rakuten_assets.errors import DeliveryError

_SECONDS = 10.0


def post_message(address: str, text: str, seconds: float = _SECONDS) -> None:
    """Post `{"text": text}`.

    Args:
        address: http or https. It is a secret, and stands in no message.
        seconds: to wait for the answer.

    Raises:
        DeliveryError: nothing answered, or the answer was no success.
    """
    request = urllib.request.Request(
        address,
        json.dumps({"text": text}).encode(),
        {"Content-Type": "application/json", "User-Agent": "rakuten_assets"},
    )
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=seconds):
            return
    except urllib.error.HTTPError as error:
        why = f"it answered {error.code} {error.reason}"
        error.close()
    except http.client.HTTPException as error:  # Its text may hold the address.
        why = type(error).__name__
    except (OSError, ValueError) as error:
        why = str(getattr(error, "reason", None) or error)
    raise DeliveryError(
        f"the webhook at {_host(address)} did not take a message: {why}; check RAKUTEN_WEBHOOK, and that this machine "
        "reaches it"
    )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A POST that is sent elsewhere becomes a GET without the message: it was not taken."""

    def redirect_request(self, *_: Any) -> None:
        return None


def _host(address: str) -> str:
    return urllib.parse.urlsplit(address).hostname or "an address without a host"
