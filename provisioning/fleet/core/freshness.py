"""How a page that lies on a disk tells its own age, and turns stale by itself, with no JavaScript. Pure.

The server that gives it out tells the time: nginx's SSI (ngx_http_ssi_module) compares it, minute by minute, with those
in which this page is good. What SSI keeps are rules of the style sheet. Given out without SSI, its lines are rules that
no browser understands, and the page says that it cannot tell its age. One that stays open goes stale by an animation.
"""

from datetime import UTC, datetime, timedelta
from typing import Final

from appliance.core import moment
from appliance.core.errors import Text

STALE_MINUTES: Final = 3
"""The watch writes every ten seconds; one delivery may hold it up for a minute."""
REFRESH_S: Final = 30
_FORMAT: Final = "%Y%m%d%H%M"


def rules(generated_at: str, language: str) -> str:
    """What goes into the style sheet of a page."""
    at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment.to_us(generated_at))
    minutes = [f"{at + timedelta(minutes=number):{_FORMAT}}" for number in range(STALE_MINUTES + 1)]
    lines = [f'<!--# config timefmt="{_FORMAT}" -->', _if("= /^20/", ".ageless{display:none}")]
    for number, minute in enumerate(minutes):
        age = _age(number).in_language(language)
        lines.append(_if(f"= /^{minute}/", f'.age::after{{content:"{age}"}}'))
    lines.append(_if(f"!= /^({'|'.join(minutes)})/", _STALE))
    return "\n".join(lines)


def _if(condition: str, rule: str) -> str:
    # Without a $ in the pattern, which would begin a variable: the time has a fixed width.
    return f'<!--# if expr="$date_gmt {condition}" -->{rule}<!--# endif -->'


def _age(minutes: int) -> Text:
    if minutes == 0:
        return Text("不到 1 分钟前", "less than a minute ago")
    return Text(f"约 {minutes} 分钟前", f"about {minutes} min ago")


_STALE: Final = ".stale{max-height:20em!important;visibility:visible!important}main{filter:grayscale(1);opacity:.6}"
OPEN_TOO_LONG: Final = f"""\
@keyframes told{{to{{max-height:20em;visibility:visible}}}}
@keyframes pale{{to{{filter:grayscale(1);opacity:.6}}}}
.stale{{max-height:0;overflow:hidden;visibility:hidden;animation:told 1s steps(1,end) {STALE_MINUTES * 60}s forwards}}
main{{animation:pale 1s steps(1,end) {STALE_MINUTES * 60}s forwards}}
"""
"""A page that nobody loads anew: in a tab that sleeps, or saved."""
