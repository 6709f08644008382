"""The hub's signing key, and those that were before it: what is kept of each is enough to lead a box over to the next.

keys/sign                     the key that signs now
keys/sign.next                the one that will, while it is being changed
keys/rotations/NUMBER.json    a change (`Rotation`): public halves, and signatures that the former key left behind
"""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from appliance.core.errors import Text, WorldError
from appliance.core.journal import Checkpoint, Position, is_signed_by, parse_checkpoint_text, parse_public_key
from appliance.core.records import Rotate
from appliance.core.rotation import chain_through, is_proven
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """One change of the key.

    `place` is that of the record, `ends` where each stream ended: so far the former key counts in what boxes give back,
    and only as long as this is not in the stream, for else all that it signed is here.
    Signed by the former key are `checkpoints`, on every stretch of `all/control` that fits into a batch up to the
    record, and `begins`, the snapshot that the stream begins with where it was compacted.
    """

    body: Rotate
    place: Position
    ends: dict[str, Position]
    begins: tuple[str, str] | None
    checkpoints: tuple[tuple[str, str], ...]
    is_finished: bool = False

    def vouched(self) -> dict[Position, Checkpoint]:
        """The checkpoints, by where they stand."""
        signed = (parse_checkpoint_text(*text) for text in self.checkpoints)
        return {each.position: each for each in signed}


def rotations(folder: HubFolder) -> list[Rotation]:
    """Every change, the first one first, also one that was begun and not ended. WorldError for a damaged file."""
    return [_read(path) for path in _files(folder)]


def keep(folder: HubFolder, rotation: Rotation) -> None:
    """Write a change down; one that was begun and not ended is replaced."""
    from appliance.durable import make_folder, sync_folder, write_atomically

    known = _files(folder)
    is_again = bool(known) and not _read(known[-1]).is_finished
    number = len(known) if is_again else len(known) + 1
    make_folder(folder.rotations)
    sync_folder(folder.rotations.parent)
    write_atomically(folder.rotations / f"{number}.json", msgspec.json.encode(rotation))


def current_key(folder: HubFolder) -> str:
    """The public half of the key that signs now."""
    return HubJournals(folder).signs()


def rotation_from(folder: HubFolder, key: str) -> Rotation | None:
    """What leads on from a key that is the hub's no longer; None for the one that signs, and for a stranger's."""
    current = current_key(folder)
    if key == current:
        return None
    known = {rotation.body.former: rotation for rotation in _proven(folder)}
    return known[key] if key in known and current in chain_through(key, _following(known)) else None


def former_keys(folder: HubFolder) -> tuple[str, ...]:
    """The keys that led to the one that signs now, the first one first."""
    current = current_key(folder)
    chain = chain_through(current, _following({each.body.former: each for each in _proven(folder)}))
    return chain[: chain.index(current)]


def signer_of(folder: HubFolder, signed: Checkpoint) -> tuple[str, Position | None]:
    """The key by which to judge what a box gives back, and of a former one where the stream ended when it went."""
    formers = former_keys(folder)
    for rotation in _proven(folder):
        key, end = rotation.body.former, rotation.ends.get(signed.position.stream)
        is_within = end is not None and signed.position.place <= end.place
        if key in formers and is_within and is_signed_by(signed, parse_public_key(key)):
            return key, end
    return current_key(folder), None


def _proven(folder: HubFolder) -> list[Rotation]:
    found = rotations(folder)
    return [each for each in found if is_proven(folder.settings().id, each.body)] if found else []


def _following(known: Mapping[str, Rotation]) -> dict[str, str]:
    return {former: rotation.body.sign_key for former, rotation in known.items()}


def _files(folder: HubFolder) -> list[Path]:
    found = (path for path in folder.rotations.glob("*.json") if path.stem.isdecimal())
    return sorted(found, key=lambda path: int(path.stem))


def _read(path: Path) -> Rotation:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Rotation)
    except msgspec.DecodeError as error:
        raise WorldError(
            Text(f"{path} 损坏：{error}", f"{path} is damaged: {error}"),
            hint=Text("从备份恢复 keys/ 文件夹", "bring the folder keys/ back from a backup"),
            retryable=False,
        ) from error
