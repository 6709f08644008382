"""What a third-party engine reports of what it aired: `POST /playout/CHANNEL/asrun`. docs/formats.md, section 8."""

from collections.abc import Iterable
from typing import Annotated, Final

import msgspec

from appliance.core.asset import parse_digest
from appliance.core.errors import OperatorError, Text
from appliance.core.moment import US, to_us

DURATION_S_MAX: Final = 86_400.0
PROBLEMS_MAX: Final = 20

Named = Annotated[str, msgspec.Meta(max_length=1000)]


class EngineRow(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One item that it played: from when, how long, and what: the digest of an asset or rendition, or the name of the
    file in the library. Without either it is only said that the engine was on the air."""

    start: str
    duration_s: Annotated[float, msgspec.Meta(gt=0, le=DURATION_S_MAX)]
    asset: Named | None = None
    file: Named | None = None
    title: Annotated[str, msgspec.Meta(max_length=200)] = ""

    @property
    def start_us(self) -> int:
        return to_us(self.start)

    @property
    def end_us(self) -> int:
        return self.start_us + round(self.duration_s * US)


def problems_of_rows(rows: Iterable[EngineRow]) -> tuple[Text, ...]:
    """All that is wrong with a report, some of it where it is much."""
    problems: list[Text] = []
    for row in rows:
        try:
            to_us(row.start)
            if row.asset is not None:
                parse_digest(row.asset)
        except OperatorError as error:
            problems += error.problems
    return tuple(problems[:PROBLEMS_MAX])


def library_name(file: str) -> str:
    """The last three parts of a path, which is how the library calls a file."""
    return "/".join(file.replace("\\", "/").split("/")[-3:])
