"""Blanks written over a body where it lies, so that no byte of the file moves. A note beside it says what is under way.

Whoever finds half a body, as of a writer that was killed, finishes what the note says and reads again.
"""

import hashlib
import os
from pathlib import Path
from typing import Final

from appliance.core.journal import HEADER_BYTES_MAX, parse_record

NOTE: Final = "blanking"


def blank(path: Path, offset: int, hash_: str) -> None:
    """Write blanks over the body of the record that begins there and has this hash; all of it, or `finish` does."""
    from appliance.durable import write_atomically

    write_atomically(path.with_name(NOTE), f"{path.name} {offset} {hash_}\n".encode())
    finish(path.parent)


def finish(folder: Path) -> bool:
    """Do what a note says, if there is one; False when there is none. Only the body of that very record is touched."""
    from appliance.durable import sync_folder

    try:
        name, offset, hash_ = (folder / NOTE).read_text().split()
    except FileNotFoundError:
        return False
    with (folder / Path(name).name).open("r+b") as file:
        file.seek(int(offset))
        header = file.readline(HEADER_BYTES_MAX + 1)
        if hashlib.sha256(header[:-1]).hexdigest() == hash_:
            file.seek(int(offset) + len(header))
            file.write(b" " * parse_record(header[:-1], None).header.body_size_bytes)
            file.flush()
            os.fsync(file.fileno())
    (folder / NOTE).unlink(missing_ok=True)
    sync_folder(folder)
    return True
