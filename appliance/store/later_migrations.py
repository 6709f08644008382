"""The steps of `box.db` that follow those of `migrations.py`. New ones are added here, at the end."""

from sqlite_utils import Database

from appliance.store.migrations import migrations as migrations


@migrations()
def what_every_turn_asks(db: Database) -> None:
    """The front of the queue, what goes up, what is large, what appears or goes by its time: each found without reading
    the hundred thousand that wait or are here."""
    db.executescript("""
        CREATE INDEX transfers_next ON transfers (deadline_us IS NULL, deadline_us, digest) WHERE direction = 'down';
        CREATE INDEX transfers_up ON transfers (deadline_us, digest) WHERE direction = 'up';
        CREATE INDEX transfers_large ON transfers (size_bytes) WHERE direction = 'down' AND size_bytes >= 1048576;
        CREATE INDEX items_appear ON items (publish_at_us) WHERE publish_at_us IS NOT NULL;
        CREATE INDEX items_go ON items (until_us) WHERE until_us IS NOT NULL;
    """)


@migrations()
def redactions_of_records(db: Database) -> None:
    """Which record a redaction means, by its `origin`, wherever that stands. '' in older ones: what has the place."""
    db.executescript("""
        CREATE TABLE redactions_of_records (
            stream TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL,
            wiped INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (stream, epoch, seq, hash)
        ) STRICT;
        INSERT INTO redactions_of_records SELECT stream, epoch, seq, '', wiped FROM redactions;
        DROP TABLE redactions;
        ALTER TABLE redactions_of_records RENAME TO redactions;
    """)
