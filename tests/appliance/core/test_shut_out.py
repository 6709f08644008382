"""The list of boxes that were revoked: whose word it is, which word is the newest, and who stands on it."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance.core.errors import Refused
from appliance.core.journal import public_key_text
from appliance.core.rotation import rotated
from appliance.core.shut_out import Listed, judge, next_list, notice, parse

HUB, NEXT, THIEF, BOX = (Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32) for number in range(1, 5))
OWN = public_key_text(BOX.public_key())
AT_US = 1_795_500_000_000_000


def listed(seq: int, *keys: str, hub: str = "songshan") -> Listed:
    return Listed(hub=hub, seq=seq, at="2026-11-26T00:00:00.000000Z", keys=keys)


def of(key: Ed25519PrivateKey) -> str:
    return public_key_text(key.public_key())


def test_the_newest_word_counts_and_an_older_one_changes_nothing() -> None:
    """A thief keeps the stick from before; whoever was shut out by mistake gets a newer one."""
    first = judge(None, listed(5, OWN), OWN, b"5")
    assert first is not None and first.is_shut_out
    assert judge(first, listed(5), OWN, b"5") is None
    assert judge(first, listed(4), OWN, b"4") is None
    let_in = judge(first, listed(6, of(THIEF)), OWN, b"6")
    assert let_in is not None and not let_in.is_shut_out
    assert judge(let_in, listed(5, OWN), OWN, b"5") is None


def test_only_the_hub_that_is_trusted_or_one_that_it_led_to_shuts_out() -> None:
    """Else whoever has a stick has every county of the city."""
    good = notice(listed(5, OWN), (), HUB)
    assert parse(good, "songshan", of(HUB)) == listed(5, OWN)
    moved = notice(listed(6, OWN), (rotated("songshan", HUB, NEXT, AT_US),), NEXT)
    assert parse(moved, "songshan", of(HUB)).seq == 6
    assert parse(moved, "songshan", of(NEXT)).seq == 6
    forged = rotated("songshan", THIEF, THIEF, AT_US)
    for data, trusted in (
        (notice(listed(9, OWN), (), THIEF), HUB),
        (notice(listed(9, OWN), (forged,), THIEF), HUB),
        (notice(listed(9, OWN), (), NEXT), HUB),
        (notice(listed(9, OWN), (rotated("another", HUB, NEXT, AT_US),), NEXT), HUB),
        (good, NEXT),
        (notice(listed(9, OWN, hub="another"), (), HUB), HUB),
        (good.replace(b"A", b"B", 1), HUB),
        (b"", HUB),
        (b"[" * 10_000, HUB),
        (b"{}", HUB),
    ):
        with pytest.raises(Refused):
            parse(data, "songshan", of(trusted))


def test_a_hub_from_a_backup_says_numbers_that_nobody_has_seen() -> None:
    """It does not know what it said since; the clock does. Where the clock is behind, one more will do."""
    assert next_list(listed(7), "songshan", (OWN, OWN), "", AT_US) == Listed(
        hub="songshan", seq=AT_US, at="", keys=(OWN,)
    )
    assert next_list(listed(AT_US + 9), "songshan", (), "", AT_US).seq == AT_US + 10
    assert next_list(None, "songshan", (), "", -5).seq == 1
