"""J11: a record names an asset that the hub does not have."""

from pathlib import Path

from provisioning.hub.library import Library
from tests.sync.nights import Night, night

MINUTE = 60_000_000


def lose(at: Night, content: bytes) -> tuple[str, Path]:
    """The hub's copy is gone, its links too. The digest, and where the bytes are kept for later."""
    library = Library(at.hub.folder)
    (path,) = [each for each in at.hub.folder.assets.glob("??/*") if each.read_bytes() == content]
    digest = f"sha256:{path.name}"
    aside = at.hub.folder.path.with_name("aside")
    path.rename(aside)
    library.withdraw("dengfeng", [digest])
    return digest, aside


def test_a_story_without_its_asset_waits_and_holds_up_no_other(root: Path) -> None:
    """It is not shown half; what comes after it is shown; its fetch is tried ever more rarely, and says why."""
    with night(root) as at:
        at.pair.is_line_up = False
        at.publish("i1", b"lost" * 100)
        digest, aside = lose(at, b"lost" * 100)
        at.pair.is_line_up = True
        with_other(at)
        assert digest[7:] not in at.shown()
        assert len(at.shown()) == 1
        tried = waits(at, digest)
        assert "the hub has it not" in tried[-1][1]
        assert [attempts for attempts, _reason in tried] == sorted({attempts for attempts, _reason in tried})
        comes_back(at, digest, aside)
        assert digest[7:] in at.shown()


def waits(at: Night, digest: str) -> list[tuple[int, str]]:
    """How often it was tried, and what came of it, each time that it waits again within a quarter of an hour."""
    sql = f"SELECT attempts, reason FROM transfers WHERE state = 'failed' AND digest = '{digest}'"
    seen: dict[int, str] = {}
    for _round in range(90):
        at.pair.round(10_000_000)
        seen |= {int(str(attempts)): str(reason) for attempts, reason in at.rows(sql)}
    assert 3 <= len(seen) < 20
    return list(seen.items())


def with_other(at: Night) -> None:
    """A second story, and time for both. The oracle looks at the box alone, for the hub is damaged."""
    at.publish("i2", b"there" * 100)
    for _round in range(15):
        at.pair.round(2_000_000)


def comes_back(at: Night, digest: str, aside: Path) -> None:
    library = Library(at.hub.folder)
    aside.rename(library.path_of(digest))
    at.pair.cut()
    for _round in range(15):
        at.pair.round(MINUTE)
