"""What must not leave the box in a text that somebody wrote, or that a program said: taken out, and said so. Pure.

The diagnostic bundle is made of facts chosen one by one. But titles, reasons and file names among them are free text,
and people write passwords, telephone numbers and whole keys into anything.
"""

import re
from typing import Any, Final

from appliance.core.source_url import without_secrets

INSTEAD: Final = "[…]"

_BLOCK: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{1,40}-----.*?(?:-----END [A-Z0-9 ]{1,40}-----|\Z)", re.DOTALL)
_USER_IN_URL: Final = re.compile(r"(?<=://)[^/\s@?#]{1,400}@")
_NAMED: Final = re.compile(
    r"(?i)((?:\b[a-z0-9_.-]{0,40}"
    r"(?:password|passwd|pwd|token|secret|api[_-]?key|access[_-]?key|auth|sig|signature|sign)"
    r"|密码|口令|密钥|令牌)\s*[=:：是为]\s*)[^\s&\"'，。；,;]{1,400}"
)
_BEARER: Final = re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9+/=._~-]{8,}")
_SSH: Final = re.compile(r"\b(?:ssh|ecdsa)-[a-z0-9@.-]{3,40} [A-Za-z0-9+/]{40,}=*")
_KEY: Final = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/_-]{43}=(?![A-Za-z0-9+/=])")
"""32 bytes in Base64, as our own keys are written."""
_CODE: Final = re.compile(r"\b(?:[A-Z0-9]{4}-){5}[A-Z0-9]{4}\b")
"""A recovery code."""
_PHONE: Final = re.compile(r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}(?!\d)")
_LANDLINE: Final = re.compile(r"(?<!\d)0\d{2,3}[ -]\d{7,8}(?!\d)")
_CITIZEN: Final = re.compile(r"(?<!\d)\d{17}[\dXx](?![\dA-Za-z])")
_MAIL: Final = re.compile(r"[A-Za-z0-9._%+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}")
_PLAIN: Final = (_BLOCK, _SSH, _KEY, _CODE, _CITIZEN, _PHONE, _LANDLINE, _MAIL)


def taken_out(text: str) -> str:
    """The text without what looks like a key, a password or a person's number."""
    text = _USER_IN_URL.sub(f"{INSTEAD}@", without_secrets(text))
    text = _NAMED.sub(rf"\g<1>{INSTEAD}", text)
    text = _BEARER.sub(rf"\g<1> {INSTEAD}", text)
    for shape in _PLAIN:
        text = shape.sub(INSTEAD, text)
    return text


def withheld(value: Any) -> Any:
    """The same for all texts in a value of objects, lists and plain values; names of fields stay."""
    if isinstance(value, str):
        return taken_out(value)
    if isinstance(value, dict):
        return {name: withheld(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [withheld(each) for each in value]
    return value
