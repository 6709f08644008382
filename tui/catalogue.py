"""The catalogue of the screens' texts: English in the code, Chinese in locale/zh_CN, compiled for the wheel.

pybabel extract -k say -k count:1,2 -o tui.pot tui
pybabel update -D tui -i tui.pot -d tui/locale -l zh_CN --no-wrap --ignore-obsolete
"""

import gettext
from datetime import tzinfo
from pathlib import Path
from typing import Final

from tui.look import Look

LOCALE: Final = Path(__file__).parent / "locale"
DOMAIN: Final = "tui"
CATALOGUE: Final = LOCALE / "zh_CN" / "LC_MESSAGES" / f"{DOMAIN}.po"


def looks(
    zone: tzinfo, languages: tuple[str, ...] = ("zh", "en"), plain: bool = False, is_wide: bool = False
) -> dict[str, Look]:
    """How this terminal may be spoken to, by language."""
    found = {language: _translations(language) for language in languages}
    return {
        language: Look(language, texts.gettext, texts.ngettext, zone, plain, is_wide)
        for language, texts in found.items()
    }


def _translations(language: str) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, LOCALE, languages=["zh_CN"])
