"""A shut-out list that comes on a stick is heeded before anything else of it, whosever the stick is; and passed on.

heed(config, stick)        the list on it is kept, where it is the hub's and newer than what is known
pass_on(config, stick)     what is known is written to it, where it has an older one or none
settle(config)             the list that is kept is held against the key that this box has now
"""

from contextlib import suppress

import msgspec

from appliance import shut_out
from appliance.config import Config
from appliance.core.errors import OperatorError, Refused, SongshanError
from appliance.core.journal import public_key_text
from appliance.core.shut_out import BYTES_MAX, FILE, Listed, judge, parse
from appliance.keys import read_sign_key
from appliance.stick import Stick
from appliance.store import at_rest


def heed(config: Config, stick: Stick) -> bool:
    """Whether something new was kept. What cannot be believed is passed over: nothing depends on it. WorldError."""
    found = _on(config, stick)
    if found is None:
        return False
    data, listed = found
    newer = judge(shut_out.kept(config), listed, _own_key(config), data)
    if newer is None:
        return False
    shut_out.keep(config, newer)
    return True


def pass_on(config: Config, stick: Stick) -> None:
    """Boxes that meet over sticks tell each other what the hub said last."""
    known = shut_out.kept(config)
    if known is None:
        return
    found = _on(config, stick)
    if found is None or found[1].seq < known.seq:
        stick.write((FILE,), known.notice.encode())


def settle(config: Config) -> None:
    """A box that was enrolled anew has another key than the one that was revoked."""
    known = shut_out.kept(config)
    if known is None or config.hub is None:
        return
    with suppress(OperatorError, Refused):
        own = _own_key(config)
        if own != known.of_key:
            listed = parse(known.notice.encode(), config.hub.id, _trusted(config))
            shut_out.keep(config, msgspec.structs.replace(known, of_key=own, is_shut_out=own in listed.keys))


def _on(config: Config, stick: Stick) -> tuple[bytes, Listed] | None:
    if config.hub is None:
        return None
    with suppress(Refused):
        data = stick.read((FILE,), BYTES_MAX)
        if data is not None:
            return data, parse(data, config.hub.id, _trusted(config))
    return None


def _trusted(config: Config) -> str:
    """The hub's key as this box has come to know it; that of its config where there is no database to ask."""
    assert config.hub is not None
    try:
        return at_rest.proven_hub_key_of(config.database, config.hub.id, config.hub.sign_key)
    except SongshanError:
        return config.hub.sign_key


def _own_key(config: Config) -> str:
    return public_key_text(read_sign_key(config.sign_key).public_key())
