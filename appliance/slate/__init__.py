"""What is shown when there is nothing to show: two packaged stills, each one segment, made by `make.py` and shipped.

`slate.ts` plays where neither a programme nor a filler can; `sound.ts` is the picture of a clip that has none.
"""

from pathlib import Path

_FOLDER = Path(__file__).parent


def slate_path() -> Path:
    """The slate (垫片), whose digest is `appliance.core.air.SLATE`."""
    return _FOLDER / "slate.ts"


def sound_path() -> Path:
    """The still for sound without picture."""
    return _FOLDER / "sound.ts"
