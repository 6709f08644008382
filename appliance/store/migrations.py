"""The tables of `box.db`, as steps that are only ever added to; now in `later_migrations.py`. docs/formats.md,
section 6, says what each holds.

Moments are whole microseconds since 1970 in columns called `_us`; JSON stands in TEXT; digests are `sha256:<hex>`.
"""

from sqlite_utils import Database, Migrations

migrations = Migrations("songshan-edge")


@migrations()
def streams_and_records(db: Database) -> None:
    """What was received and what was said, as the exact bytes, and how far each stream has come."""
    db.executescript("""
        CREATE TABLE journal (
            stream TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL,
            header BLOB NOT NULL, body BLOB, kind TEXT NOT NULL, key TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('applied', 'parked', 'own')), reason TEXT,
            PRIMARY KEY (stream, epoch, seq)
        ) STRICT;
        CREATE INDEX journal_parked ON journal (stream, epoch, seq) WHERE state = 'parked';
        CREATE TABLE cursors (
            stream TEXT PRIMARY KEY, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, head TEXT NOT NULL,
            checkpoint_payload BLOB, checkpoint_signature BLOB,
            checkpoint_at_us INTEGER NOT NULL DEFAULT 0, next_by_us INTEGER,
            acked_epoch INTEGER NOT NULL DEFAULT 1, acked_seq INTEGER NOT NULL DEFAULT 0
        ) STRICT;
    """)


@migrations()
def items_and_assets(db: Database) -> None:
    """Stories, what they are made of, what was recalled; bytes, renditions and what travels."""
    db.executescript("""
        CREATE TABLE items (
            id TEXT PRIMARY KEY,
            state TEXT NOT NULL CHECK (state IN ('offered', 'published', 'withdrawn', 'recalled')),
            taken INTEGER NOT NULL DEFAULT 0, section TEXT NOT NULL, title TEXT NOT NULL, origin TEXT NOT NULL,
            publish_at_us INTEGER, until_us INTEGER, created_at_us INTEGER NOT NULL, changed_at_us INTEGER NOT NULL,
            shown_at_us INTEGER NOT NULL, search TEXT NOT NULL, document TEXT NOT NULL
        ) STRICT;
        CREATE INDEX items_shown ON items (shown_at_us DESC, id);
        CREATE TABLE item_assets (
            item TEXT NOT NULL REFERENCES items (id) ON DELETE CASCADE, digest TEXT NOT NULL,
            role TEXT NOT NULL, ordinal INTEGER NOT NULL, PRIMARY KEY (item, digest)
        ) STRICT;
        CREATE INDEX item_assets_digest ON item_assets (digest);
        CREATE TABLE tombstones (target TEXT PRIMARY KEY, reason TEXT NOT NULL, recalled_at_us INTEGER NOT NULL) STRICT;
        CREATE TABLE assets (
            digest TEXT PRIMARY KEY, size_bytes INTEGER NOT NULL, media_type TEXT NOT NULL, name TEXT NOT NULL,
            role TEXT NOT NULL, state TEXT NOT NULL CHECK (state IN ('wanted', 'here', 'bad')), why TEXT NOT NULL,
            verified_at_us INTEGER, last_used_us INTEGER NOT NULL, duration_s REAL, findings TEXT
        ) STRICT;
        CREATE TABLE renditions (
            source TEXT NOT NULL, profile TEXT NOT NULL, digest TEXT, size_bytes INTEGER, frames INTEGER,
            state TEXT NOT NULL CHECK (state IN ('wanted', 'packaging', 'here', 'failed')), reason TEXT, segments BLOB,
            PRIMARY KEY (source, profile)
        ) STRICT;
        -- Items with the assets they still have; open ones are published here or taken, and whole.
        CREATE VIEW items_whole AS
            SELECT items.*, coalesce(publish_at_us, 0) AS from_us, coalesce(until_us, 9223372036854775807) AS to_us,
                (SELECT json_group_array(digest) FROM item_assets WHERE item_assets.item = items.id) AS digests,
                (state = 'published' OR (state = 'offered' AND taken = 1)) AND NOT EXISTS (
                    SELECT 1 FROM item_assets LEFT JOIN assets USING (digest)
                    WHERE item_assets.item = items.id AND coalesce(assets.state, 'wanted') = 'wanted'
                ) AS is_open
            FROM items;
        CREATE INDEX renditions_digest ON renditions (digest);
        CREATE TABLE transfers (
            digest TEXT NOT NULL, direction TEXT NOT NULL CHECK (direction IN ('down', 'up')),
            state TEXT NOT NULL CHECK (state IN ('queued', 'running', 'done', 'failed')),
            deadline_us INTEGER, size_bytes INTEGER NOT NULL, done_bytes INTEGER NOT NULL DEFAULT 0,
            rate_bytes_per_s REAL, attempts INTEGER NOT NULL DEFAULT 0, not_before_us INTEGER NOT NULL DEFAULT 0,
            reason TEXT, PRIMARY KEY (digest, direction)
        ) STRICT;
    """)


@migrations()
def the_desk(db: Database) -> None:
    """What goes up, what the command desk asks, what citizens write, and every command with its outcome."""
    db.executescript("""
        CREATE TABLE submissions (
            id TEXT PRIMARY KEY, item TEXT NOT NULL, title TEXT NOT NULL, file_name TEXT NOT NULL, digest TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('waiting', 'sending', 'sent', 'accepted', 'refused')),
            reason TEXT, created_at_us INTEGER NOT NULL, changed_at_us INTEGER NOT NULL, document TEXT NOT NULL
        ) STRICT;
        CREATE TABLE orders (
            id TEXT PRIMARY KEY, title TEXT NOT NULL, body TEXT NOT NULL, due_us INTEGER,
            state TEXT NOT NULL CHECK (state IN ('new', 'answered', 'withdrawn')),
            answer TEXT, note TEXT, answered_by TEXT, received_at_us INTEGER NOT NULL, answered_at_us INTEGER
        ) STRICT;
        CREATE TABLE tips (
            id TEXT PRIMARY KEY, text TEXT NOT NULL, contact TEXT NOT NULL, at_us INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE commands (
            name TEXT PRIMARY KEY, kind TEXT NOT NULL, by TEXT NOT NULL, via TEXT NOT NULL, at_us INTEGER NOT NULL,
            outcome TEXT NOT NULL CHECK (outcome IN ('done', 'refused')), reason TEXT
        ) STRICT;
    """)


@migrations()
def facts(db: Database) -> None:
    """What the agent last saw of itself and the world, and what is wrong."""
    db.executescript("""
        CREATE TABLE status (name TEXT PRIMARY KEY, value TEXT NOT NULL, at_us INTEGER NOT NULL) STRICT;
        CREATE TABLE alarms (
            id TEXT PRIMARY KEY, severity TEXT NOT NULL CHECK (severity IN ('red', 'amber', 'info')),
            text TEXT NOT NULL, hint TEXT NOT NULL, since_us INTEGER NOT NULL
        ) STRICT;
    """)


@migrations()
def the_air(db: Database) -> None:
    """Channels, what they should play, what they have committed to play, what they played; docs/formats.md, 7.

    The ledger guards itself: what lies before a channel's `frozen_tick` can be neither removed nor changed. A row that
    reaches beyond it may be cut there or run on. Rows of a month ago may go.
    """
    db.executescript("""
        CREATE TABLE channels (
            id TEXT PRIMARY KEY, zone TEXT NOT NULL, epoch_tick INTEGER NOT NULL, first_msn INTEGER NOT NULL,
            frozen_tick INTEGER NOT NULL, reported_seq INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE TABLE schedules (
            channel TEXT NOT NULL, date TEXT NOT NULL, version INTEGER NOT NULL, document BLOB NOT NULL,
            received_at_us INTEGER NOT NULL, PRIMARY KEY (channel, date, version)
        ) STRICT;
        CREATE TABLE fillers (
            channel TEXT NOT NULL, digest TEXT NOT NULL, ordinal INTEGER NOT NULL, PRIMARY KEY (channel, digest)
        ) STRICT;
        CREATE TABLE inserts (
            id TEXT PRIMARY KEY, channel TEXT NOT NULL, digest TEXT NOT NULL, received_at_us INTEGER NOT NULL,
            at_us INTEGER, until_us INTEGER, not_after_us INTEGER, start_tick INTEGER, end_tick INTEGER,
            stopped INTEGER NOT NULL DEFAULT 0,
            state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'placed', 'over', 'missed'))
        ) STRICT;
        CREATE INDEX inserts_open ON inserts (channel, received_at_us) WHERE state IN ('waiting', 'placed');
        CREATE TABLE ledger (
            channel TEXT NOT NULL REFERENCES channels (id), first_msn INTEGER NOT NULL,
            segments INTEGER NOT NULL CHECK (segments > 0), start_tick INTEGER NOT NULL,
            frames INTEGER NOT NULL CHECK (frames > (segments - 1) * 50 AND frames <= segments * 50),
            rendition TEXT NOT NULL, first_segment INTEGER NOT NULL, source TEXT, entry_id TEXT, title TEXT NOT NULL,
            kind TEXT NOT NULL, planned INTEGER NOT NULL, reason TEXT, date TEXT, version INTEGER,
            PRIMARY KEY (channel, first_msn)
        ) STRICT;
        CREATE UNIQUE INDEX ledger_time ON ledger (channel, start_tick);
        CREATE TRIGGER ledger_keeps BEFORE DELETE ON ledger
        WHEN OLD.start_tick < (SELECT frozen_tick FROM channels WHERE id = OLD.channel)
            AND OLD.start_tick > (SELECT frozen_tick FROM channels WHERE id = OLD.channel) - 31 * 86400 * 90000
        BEGIN SELECT raise(ABORT, 'a committed segment cannot go'); END;
        CREATE TRIGGER ledger_stands BEFORE UPDATE ON ledger
        WHEN OLD.start_tick < (SELECT frozen_tick FROM channels WHERE id = OLD.channel) AND NOT (
            NEW.channel IS OLD.channel AND NEW.first_msn IS OLD.first_msn AND NEW.start_tick IS OLD.start_tick
            AND NEW.rendition IS OLD.rendition AND NEW.first_segment IS OLD.first_segment AND NEW.source IS OLD.source
            AND NEW.entry_id IS OLD.entry_id AND NEW.kind IS OLD.kind AND NEW.title IS OLD.title
            AND (NEW.frames >= OLD.frames OR NEW.start_tick + NEW.frames * 3600
                >= (SELECT frozen_tick FROM channels WHERE id = OLD.channel))
        )
        BEGIN SELECT raise(ABORT, 'a committed segment cannot change'); END;
        CREATE TRIGGER freeze_stays BEFORE UPDATE OF frozen_tick ON channels
        WHEN NEW.frozen_tick < OLD.frozen_tick BEGIN SELECT raise(ABORT, 'what is frozen stays so'); END;
        CREATE TABLE asrun (
            channel TEXT NOT NULL, seq INTEGER NOT NULL, start_tick INTEGER NOT NULL, end_tick INTEGER NOT NULL,
            hash TEXT NOT NULL, document BLOB NOT NULL, PRIMARY KEY (channel, seq)
        ) STRICT;
        CREATE INDEX asrun_time ON asrun (channel, end_tick);
        CREATE TRIGGER asrun_keeps BEFORE DELETE ON asrun BEGIN SELECT raise(ABORT, 'what aired, aired'); END;
        CREATE TRIGGER asrun_stands BEFORE UPDATE ON asrun BEGIN SELECT raise(ABORT, 'what aired, aired'); END;
        CREATE TABLE air_clock (
            id INTEGER PRIMARY KEY CHECK (id = 1), air_us INTEGER NOT NULL, running_us INTEGER NOT NULL,
            rate INTEGER NOT NULL
        ) STRICT;
    """)


@migrations()
def what_an_asset_replaces(db: Database) -> None:
    """A new version travels as a difference to the old one: which that is, by record or by name."""
    db.executescript("""
        ALTER TABLE transfers ADD COLUMN replaces TEXT;
        CREATE INDEX assets_name ON assets (name, role, last_used_us) WHERE state = 'here';
    """)


@migrations()
def records_by_what_they_are_about(db: Database) -> None:
    """So that a later record of the same key is found among a million. What a site says itself is never looked for."""
    db.executescript("""
        CREATE INDEX journal_key ON journal (stream, key, epoch, seq) WHERE state = 'applied';
    """)


@migrations()
def assets_that_went_with_their_item(db: Database) -> None:
    """An asset that was recalled by itself is gone for good; one that only went with its item may be another's too."""
    db.executescript("""
        ALTER TABLE tombstones ADD COLUMN with_item INTEGER NOT NULL DEFAULT 0;
    """)


@migrations()
def redacted_bodies(db: Database) -> None:
    """Whose body may not be kept, and whether its bytes have left the files."""
    db.executescript("""
        CREATE TABLE redactions (
            stream TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, wiped INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (stream, epoch, seq)
        ) STRICT;
    """)


@migrations()
def snapshots_taken(db: Database) -> None:
    """Where a stream leapt over what was no longer in force, by whose word, and what came instead."""
    db.executescript("""
        CREATE TABLE snapshots (
            stream TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, from_epoch INTEGER NOT NULL,
            from_seq INTEGER NOT NULL, payload BLOB NOT NULL, signature BLOB NOT NULL, members BLOB NOT NULL,
            PRIMARY KEY (stream, epoch, seq)
        ) STRICT;
    """)


@migrations()
def histories_that_part(db: Database) -> None:
    """What was given up and kept as evidence, the signatures to give back under, and what waits for a place to stand.

    The journal is written anew: a state is added, and what a parked record waits for.
    """
    db.executescript("""
        CREATE TABLE journal_with_held (
            stream TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, hash TEXT NOT NULL,
            header BLOB NOT NULL, body BLOB, kind TEXT NOT NULL, key TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('applied', 'parked', 'held', 'own')), reason TEXT, needs TEXT,
            PRIMARY KEY (stream, epoch, seq)
        ) STRICT;
        INSERT INTO journal_with_held SELECT stream, epoch, seq, hash, header, body, kind, key, state, reason, NULL
            FROM journal;
        DROP TABLE journal;
        ALTER TABLE journal_with_held RENAME TO journal;
        CREATE INDEX journal_parked ON journal (stream, epoch, seq) WHERE state = 'parked';
        CREATE INDEX journal_held ON journal (stream, epoch, seq) WHERE state = 'held';
        CREATE INDEX journal_key ON journal (stream, key, epoch, seq) WHERE state = 'applied';
        CREATE INDEX journal_needs ON journal (needs) WHERE needs IS NOT NULL;
        CREATE TABLE lost (
            stream TEXT NOT NULL, hash TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL,
            header BLOB NOT NULL, body BLOB, origin TEXT NOT NULL, done INTEGER NOT NULL, again TEXT,
            lost_at_us INTEGER NOT NULL, PRIMARY KEY (stream, hash)
        ) STRICT;
        CREATE INDEX lost_origin ON lost (stream, origin) WHERE done = 1;
        CREATE TABLE vouched (
            stream TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL, head TEXT NOT NULL,
            payload BLOB NOT NULL, signature BLOB NOT NULL, PRIMARY KEY (stream, epoch, seq)
        ) STRICT;
        CREATE TABLE outbox (
            id INTEGER PRIMARY KEY, stream TEXT NOT NULL, kind TEXT NOT NULL, key TEXT NOT NULL, body BLOB NOT NULL,
            at_us INTEGER NOT NULL
        ) STRICT;
        CREATE TABLE standing (
            stream TEXT PRIMARY KEY, is_sure INTEGER NOT NULL, machine TEXT NOT NULL
        ) STRICT;
    """)


@migrations()
def why_assets_come(db: Database) -> None:
    """Each reason for which an asset has to come, with its deadline; and how fast the line was, by ten minutes."""
    db.executescript("""
        CREATE TABLE reasons (
            digest TEXT NOT NULL, reason TEXT NOT NULL, deadline_us INTEGER NOT NULL, PRIMARY KEY (digest, reason)
        ) STRICT;
        CREATE INDEX reasons_reason ON reasons (reason);
        CREATE TRIGGER reasons_end AFTER DELETE ON transfers WHEN OLD.direction = 'down'
        BEGIN DELETE FROM reasons WHERE digest = OLD.digest; END;
        CREATE TABLE line_rates (
            direction TEXT NOT NULL CHECK (direction IN ('down', 'up')), slot_us INTEGER NOT NULL,
            bytes INTEGER NOT NULL, busy_us INTEGER NOT NULL, PRIMARY KEY (direction, slot_us)
        ) STRICT;
    """)


@migrations()
def what_is_asked_at_each_record(db: Database) -> None:
    """What may wait with a key, and what was seen last: found among a million without reading them."""
    db.executescript("""
        CREATE INDEX journal_waiting ON journal (stream, key) WHERE needs IS NOT NULL;
        CREATE INDEX journal_seen ON journal (stream, epoch, seq) WHERE kind = 'seen';
    """)


@migrations()
def keys_of_the_hub(db: Database) -> None:
    """Which signing key of the hub's followed which, and the record that said so."""
    db.executescript("""
        CREATE TABLE hub_keys (
            former TEXT PRIMARY KEY, sign_key TEXT NOT NULL, epoch INTEGER NOT NULL, seq INTEGER NOT NULL
        ) STRICT;
    """)


@migrations()
def what_may_be_seen_again(db: Database) -> None:
    """Whether a stretch may be seen again (回看) when it was on the air, as its entry said."""
    db.executescript("ALTER TABLE ledger ADD COLUMN catchup INTEGER NOT NULL DEFAULT 1;")


@migrations()
def live_sources(db: Database) -> None:
    """What came of live sources, chunk by chunk, where each airs; and what came of asking after a source."""
    db.executescript("""
        CREATE TABLE live_chunks (
            channel TEXT NOT NULL, date TEXT NOT NULL, entry_id TEXT NOT NULL, number INTEGER NOT NULL,
            rendition TEXT NOT NULL, frames INTEGER NOT NULL, burst_ms INTEGER NOT NULL, came_us INTEGER NOT NULL,
            source_us INTEGER, start_tick INTEGER, begins INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (channel, date, entry_id, number)
        ) STRICT;
        CREATE INDEX live_chunks_rendition ON live_chunks (rendition);
        CREATE TABLE live_sources (url TEXT PRIMARY KEY, asked_us INTEGER NOT NULL, reason TEXT) STRICT;
    """)


@migrations()
def who_saw_the_air(db: Database) -> None:
    """What a probe or another engine saw of a channel, and when nobody kept watch: for the as-run rows of that time."""
    db.executescript("""
        CREATE TABLE sightings (
            channel TEXT NOT NULL, start_tick INTEGER NOT NULL, end_tick INTEGER NOT NULL,
            evidence TEXT NOT NULL CHECK (evidence IN ('ts_probe', 'engine_callback')),
            errors INTEGER NOT NULL, output TEXT NOT NULL, asset TEXT
        ) STRICT;
        CREATE INDEX sightings_time ON sightings (channel, end_tick);
        ALTER TABLE asrun ADD COLUMN from_hub INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX asrun_from_hub ON asrun (channel, seq) WHERE from_hub;
        CREATE TABLE absences (
            start_us INTEGER NOT NULL, end_us INTEGER NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('off', 'unattended')), PRIMARY KEY (start_us, kind)
        ) STRICT;
    """)


@migrations()
def whose_plan_airs(db: Database) -> None:
    """What a day goes by that has no schedule: templates in force. Of each row of the ledger whose plan it follows."""
    db.executescript("""
        ALTER TABLE ledger ADD COLUMN plan TEXT NOT NULL DEFAULT '';
        CREATE TABLE templates (
            channel TEXT NOT NULL, version INTEGER NOT NULL, document BLOB NOT NULL, assets TEXT NOT NULL,
            received_at_us INTEGER NOT NULL, PRIMARY KEY (channel, version)
        ) STRICT;
    """)


@migrations()
def what_the_technical_check_found(db: Database) -> None:
    """Findings and loudness of each rendition, the worst of them where it is asked for, and the recipe that made it."""
    db.executescript("""
        ALTER TABLE renditions ADD COLUMN checked TEXT;
        ALTER TABLE renditions ADD COLUMN severity TEXT;
        ALTER TABLE renditions ADD COLUMN made_by TEXT;
    """)


@migrations()
def what_and_why(db: Database) -> None:
    """Of each command what it was about, and why the person wanted it."""
    db.executescript("""
        ALTER TABLE commands ADD COLUMN about TEXT NOT NULL DEFAULT '';
        ALTER TABLE commands ADD COLUMN why TEXT NOT NULL DEFAULT '';
    """)


@migrations()
def alarms_that_are_over(db: Database) -> None:
    """From when to when something was wrong, and how often it came and went meanwhile."""
    db.executescript("""
        CREATE TABLE alarm_log (
            id TEXT NOT NULL, severity TEXT NOT NULL CHECK (severity IN ('red', 'amber', 'info')),
            text TEXT NOT NULL, hint TEXT NOT NULL, since_us INTEGER NOT NULL, ended_us INTEGER NOT NULL,
            times INTEGER NOT NULL DEFAULT 1, PRIMARY KEY (id, since_us)
        ) STRICT;
        CREATE INDEX alarm_log_ended ON alarm_log (ended_us);
    """)


@migrations()
def times_without_a_web_server(db: Database) -> None:
    """Times of a channel in which nobody gave it to viewers."""
    db.executescript("""
        CREATE TABLE unserved (
            channel TEXT NOT NULL, start_us INTEGER NOT NULL, end_us INTEGER NOT NULL, PRIMARY KEY (channel, start_us)
        ) STRICT;
    """)
