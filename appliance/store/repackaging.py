"""Bringing a clip to house format once more because a person asks for it."""

from typing import Final

from sqlite_utils import Database

from appliance.core.errors import Refused, Text
from appliance.core.findings import refusal
from appliance.core.ts import HOUSE_PROFILE
from appliance.store.assets import holding, rendition


def package_again(db: Database, digest: str) -> None:
    """A clip that is here and has no rendition waits to be packaged, whatever became of it before. In a transaction.

    Refused where it is not here or needs none, and where it would end as before: red stays red.
    """
    made, known = rendition(db, digest, HOUSE_PROFILE), holding(db, digest)
    if made is None or made.state in ("here", "packaging"):
        raise Refused(_NOTHING)
    if made.digest is not None:
        raise Refused(_NOT_OURS, hint=_REPLACE)
    if made.check is not None and made.check.is_red:
        raise Refused(*refusal(made.check.findings), hint=_REPLACE)
    if known is None or known.state != "here":
        raise Refused(_NOT_HERE)
    db.conn.execute(
        "UPDATE renditions SET state = 'wanted', reason = NULL, checked = NULL, severity = NULL, made_by = NULL"
        " WHERE source = ? AND profile = ?",
        (digest, HOUSE_PROFILE),
    )


_NOTHING: Final = Text("此媒资不需要再转码", "nothing of this asset waits to be packaged")
_NOT_HERE: Final = Text("文件还没有到，到后自动转码", "the file is not here yet; it is packaged when it has come")
_NOT_OURS: Final = Text("播出版本由嵩山云制作，不在本机转码", "its rendition was made at the hub, not here")
_REPLACE: Final = Text("请重新提供完好的文件，或换节目", "provide a sound file, or put something else in its place")
