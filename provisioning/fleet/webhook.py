"""A message by POST, as JSON, signed. docs/formats.md, section 13. Redirects are not followed: they would lead a
signed body to whoever answers."""

import hashlib
import hmac
import http.client
import ssl
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from appliance.core.errors import WorldError
from appliance.core.facts import as_facts
from appliance.core.moment import US
from provisioning.fleet.core.telling import Message
from provisioning.fleet.delivery import Arrived, NotReached, NotTaken, Outcome
from provisioning.fleet.line import connected, trusting
from provisioning.fleet.settings import Webhook, secret

ANSWER_BYTES_MAX: Final = 64 * 1024
LATER: Final = frozenset({408, 425, 429})
"""Of the answers below 500 those that ask to come again."""


def send(webhook: Webhook, hub: str, message: Message, page_url: str, now_us: int) -> Outcome:
    """Post the message. Never raises for what the other side, network or disk do."""
    split = urlsplit(webhook.url)
    is_tls = split.scheme == "https"
    assert split.hostname, "read() has checked it"
    try:
        data = body(hub, message, page_url)
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "songshan-hub",
            "Songshan-Message": message.id,
            "Songshan-Signature": signature(secret(webhook.secret), data, now_us // US),
            "Connection": "close",
        }
        port = split.port or (443 if is_tls else 80)
        with connected(split.hostname, port, webhook.timeout_s) as plain:
            socket = trusting(webhook.ca_file).wrap_socket(plain, server_hostname=split.hostname) if is_tls else plain
            asked = http.client.HTTPConnection(split.hostname, port, timeout=webhook.timeout_s)
            asked.sock = socket
            path = (split.path or "/") + (f"?{split.query}" if split.query else "")
            asked.request("POST", path, data, headers)
            answer = asked.getresponse()
            answer.read(ANSWER_BYTES_MAX)
    except WorldError as error:
        return NotReached(str(error))
    except (OSError, ssl.SSLError, http.client.HTTPException, ValueError) as error:
        return NotReached(f"{type(error).__name__}: {error}"[:300])
    return _outcome(answer.status)


def body(hub: str, message: Message, page_url: str = "") -> bytes:
    """The JSON that goes out."""
    facts: dict[str, Any] = as_facts(message)
    return msgspec.json.encode({"v": 1, "hub": hub, "page_url": page_url, **facts})


def signature(key: bytes, data: bytes, at_s: int) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA256 over the seconds, a dot and the body, so that an old one cannot be sent again."""
    made = hmac.new(key, f"{at_s}.".encode() + data, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={made}"


def _outcome(status: int) -> Outcome:
    if 200 <= status <= 299:
        return Arrived()
    reason = f"HTTP {status}"
    return NotReached(reason) if status in LATER or status >= 500 else NotTaken(reason)
