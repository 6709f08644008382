"""The verdict of the doctor in six digits, to be read over the telephone, and back. Pure. docs/formats.md, section 6.

Each part of the box that is not in order is a bit; the last of the number is a check, so that most slips of the tongue
are noticed. Digits say no more than which parts, so they may be read to anybody.
"""

from collections.abc import Iterable
from typing import Final

from appliance.core.errors import OperatorError, Text

NAMES: Final = (
    *("config", "folders", "keys", "disk", "database", "agent", "spool", "hub"),
    *("web", "output", "release", "alarm", "programs", "clock", "backup", "other"),
)
"""Never put in another order: the other end of the line may be older. `other`: none of these."""
_AS: Final = {
    "parked": "alarm",
    "ports": "web",
    "incident": "alarm",
    "units": "alarm",
    "key": "keys",
    "timers": "alarm",
    "firewall": "alarm",
}
"""What is told under the name of another: there are no more bits."""
DIGITS: Final = 6
_CHECK: Final = 13

assert (1 << len(NAMES)) * _CHECK <= 10**DIGITS


def code_of(wrong: Iterable[str]) -> str:
    """The six digits for the names of the checks that are not good."""
    mask = 0
    for name in wrong:
        told = _AS.get(name, name)
        mask |= 1 << NAMES.index(told if told in NAMES else "other")
    return f"{mask * _CHECK + _check(mask):0{DIGITS}d}"


def wrong_of(code: str) -> tuple[str, ...]:
    """Which checks were not good; OperatorError for digits that no doctor said."""
    digits = "".join(code.split())
    if len(digits) != DIGITS or not (digits.isascii() and digits.isdecimal()):
        raise OperatorError(
            Text(f"体检码是 {DIGITS} 位数字：{code[:20]!r}", f"the code has {DIGITS} digits: {code[:20]!r}")
        )
    mask, check = divmod(int(digits), _CHECK)
    if mask >= 1 << len(NAMES) or check != _check(mask):
        raise OperatorError(Text("体检码不对，请再核对一遍", "no doctor said this code: have it read again"))
    return tuple(name for number, name in enumerate(NAMES) if mask >> number & 1)


def _check(mask: int) -> int:
    return (mask * 7 + (mask >> 8) + 5) % _CHECK
