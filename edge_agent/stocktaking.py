"""Stocktaking: the word of the disk of the assets against that of the database, at the start and when it is back.

Only where the folder is the one that this box knows (`appliance.files.media_are_there`): on an empty mount point it
would say that all is lost.
"""

from sqlite_utils import Database

from appliance import files
from appliance.config import Config
from appliance.core.health import Media
from appliance.durable import disk_errors, unlink_durably
from appliance.store import facts, needs
from appliance.store.database import transaction
from edge_agent import alarms, live


def take_stock(config: Config, db: Database, now_us: int) -> None:
    """Sweep up what a killed process left, note what is there and what is not. No child of ours is at work."""
    files.make_folders(config)
    files.sweep(config)
    for left in config.incoming.glob("*.house*"):
        unlink_durably(left)
    live.sweep(config, db)
    held = frozenset(files.held(config))
    with transaction(db):
        unfinished = needs.reconcile(db, held, now_us)
        facts.set_status(db, Media(), now_us)
        alarms.of_media(db, config.media, now_us, is_away=False)
    for digest in unfinished:
        with disk_errors(config.incoming):
            files.path_of(config, digest).rename(files.stage_path(config, digest))
