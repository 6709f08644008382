"""Where this box stands at its start: which machine it is, and whether its database knows its own stream.

A database that is new, or that came onto another machine, does not know what this site has said since. Nothing is
appended then until the hub has told how far it is: what is said meanwhile waits for its place. A box on its own machine
goes on at once, also with the line down; should its disk have been an older one all the same, the next greeting shows
it, and nothing is lost (`edge_agent.recovery`).
"""

from pathlib import Path
from typing import Final

from sqlite_utils import Database

from appliance.config import Config
from appliance.core import wire
from appliance.core.machine import fingerprint
from appliance.durable import unlink_durably
from appliance.keys import unused_mark
from appliance.store import histories

SYSTEM_ID: Final = Path("/etc/machine-id")
BOARD: Final = Path("/sys/class/dmi/id")
CARDS: Final = Path("/sys/class/net")
NO_ADDRESS: Final = "00:00:00:00:00:00"


def this_machine() -> str:
    """The fingerprint of the machine that this runs on. What may not be read is left out, alike at each start."""
    board = [text for name in ("product_uuid", "board_serial") if (text := _read(BOARD / name))]
    return fingerprint({"board": board, "address": _addresses(), "system": [_read(SYSTEM_ID)]})


def doubt_if_new(db: Database, config: Config, machine: str) -> None:
    """Hold back what this site says, if it is not known where its stream stands. A box without a hub always knows."""
    if config.hub is None:
        return
    own = wire.stream_of_site(config.site)
    known = histories.standing(db, own)
    if known is None:
        if histories.is_unwritten(db, own):
            _begin(db, config, own, machine)
    elif known.machine not in ("", machine):
        histories.doubt(db, own)


def _begin(db: Database, config: Config, own: str, machine: str) -> None:
    """A key that was made here and has said nothing yet has no stream to be asked for: a county that has no line at all
    may begin. Under a key that came from elsewhere, as from a backup, something may have been said."""
    unused = unused_mark(config.sign_key)
    if unused.exists():
        histories.be_sure(db, own, machine)
        unlink_durably(unused)
    else:
        histories.doubt(db, own)


def _addresses() -> list[str]:
    """Of the cards that are hardware; bridges, tunnels and containers' ends come and go."""
    if not CARDS.is_dir():
        return []
    cards = sorted(card for card in CARDS.iterdir() if (card / "device").exists())
    return [text for card in cards if (text := _read(card / "address")) and text != NO_ADDRESS]


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
