"""How fresh what a box shows is: when the hub was last heard."""

from typing import NamedTuple

from appliance.web.reading import Reading


class Seen(NamedTuple):
    """`at_us` is None where the hub was never heard: a box that stands alone, or a new one."""

    at_us: int | None
    is_connected: bool


def last_seen(reading: Reading, now_us: int) -> Seen:
    """When the hub was last heard, and whether the line stands. Raises WorldError when there is no database."""
    raise NotImplementedError
