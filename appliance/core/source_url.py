"""The address of a live source: what of it people may see. Pure.

Who has the password in it, or the token in its query, has the source. Whoever looks at a screen, a log or a bundle
needs the host and the path.

    shown(url)              for people, logs and reports
    without_secrets(text)   words of others in which an address may stand
    login(url)              what the source's server is to be told, where a name and a password stand in it
"""

import base64
import re
from typing import Final
from urllib.parse import unquote, urlsplit

HIDDEN: Final = "…"
SHOWN_CHARS_MAX: Final = 200

_ADDRESS: Final = re.compile(r"https?://[^\s'\"<>]+", re.IGNORECASE)
_LOGIN: Final = re.compile(r"^((?:[a-z][a-z0-9+.-]*:)?//)[^/?#]*@", re.IGNORECASE)
_BEHIND_PATH: Final = re.compile(r"[?#;].*", re.DOTALL)


def shown(url: str) -> str:
    """Host and path of an address, or of a reference in a list; a sign where something is left out."""
    without_login = _LOGIN.sub(rf"\1{HIDDEN}@", url)
    whole = _BEHIND_PATH.sub(lambda found: found[0][0] + HIDDEN, without_login)
    return whole if len(whole) <= SHOWN_CHARS_MAX else whole[: SHOWN_CHARS_MAX - 1] + HIDDEN


def without_secrets(text: str) -> str:
    """The same words, with each address in them as `shown`."""
    return _ADDRESS.sub(lambda found: shown(found[0]), text)


def login(url: str) -> str | None:
    """For an Authorization header (RFC 7617); None where nobody is named."""
    parts = urlsplit(url)
    if parts.username is None:
        return None
    pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"
