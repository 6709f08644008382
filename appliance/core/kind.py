"""What a file is: its media type and its part in an item, by its name for clips and by its content for pictures."""

from typing import Final

from appliance.core.asset import AssetRole
from appliance.core.errors import Refused, Text

CLIPS: Final = {
    "3gp": "video/3gpp", "avi": "video/x-msvideo", "dv": "video/x-dv", "flv": "video/x-flv", "gxf": "video/gxf",
    "m2ts": "video/mp2t", "m4v": "video/mp4", "mkv": "video/x-matroska", "mov": "video/quicktime",
    "mp4": "video/mp4", "mpeg": "video/mpeg", "mpg": "video/mpeg", "mts": "video/mp2t", "mxf": "application/mxf",
    "ts": "video/mp2t", "webm": "video/webm", "wmv": "video/x-ms-wmv",
    "aac": "audio/aac", "aiff": "audio/aiff", "flac": "audio/flac", "m4a": "audio/mp4", "mp3": "audio/mpeg",
    "ogg": "audio/ogg", "wav": "audio/wav",
}  # fmt: skip
"""What can be brought to house format, by the ending of its name; refused when its content is something else."""
FILES: Final = {"pdf": "application/pdf", "txt": "text/plain", "zip": "application/zip"}
HEAD_BYTES: Final = 16
"""So much of the beginning of a file is looked at."""

_PICTURES: Final = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}


def kind_of(name: str, head: bytes) -> tuple[str, AssetRole]:
    """Media type and role of a file that is called `name` and begins with `head`.

    Raises Refused when it is a picture under the name of a clip: somebody meant something else.
    """
    ending = name.rpartition(".")[2].lower() if "." in name else ""
    picture = next((kind for magic, kind in _PICTURES.items() if head.startswith(magic)), None)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        picture = "image/webp"
    if picture is not None:
        if ending in CLIPS:
            raise Refused(Text(f"内容是图片，名字却是 .{ending}", f"a picture under a name in .{ending}"))
        return picture, "picture"
    clip = CLIPS.get(ending)
    if clip is not None:
        return clip, "audio" if clip.startswith("audio/") else "video"
    return FILES.get(ending, "application/octet-stream"), "file"
