"""How a playlist goes over the wire: its tag, its age, and gzip for whoever takes that."""

import gzip
from hashlib import blake2b
from typing import Final, NamedTuple

from appliance.core import playlist
from appliance.web.front import Reply, Request
from appliance.web.media import names_etag

CACHED: Final = "public, max-age=1"
COMPRESSED_FROM_BYTES: Final = 4000


class Listed(NamedTuple):
    """A playlist, ready to be told. `compressed` is empty where it is not worth it."""

    tag: str
    text: bytes
    compressed: bytes


def listed(text: str) -> Listed:
    """Made once for all who ask."""
    data = text.encode()
    compressed = gzip.compress(data, 3, mtime=0) if len(data) >= COMPRESSED_FROM_BYTES else b""
    return Listed(blake2b(data, digest_size=8).hexdigest(), data, compressed)


def tell(request: Request, made: Listed) -> Reply:
    """The answer to a GET or HEAD."""
    compressed = bool(made.compressed) and "gzip" in request.headers.get("accept-encoding", "")
    tag = f"{made.tag}{'-gzip' if compressed else ''}"
    headers: tuple[tuple[str, str], ...] = (
        ("ETag", f'"{tag}"'),
        ("Cache-Control", CACHED),
        ("Content-Type", playlist.CONTENT_TYPE),
        ("Vary", "Accept-Encoding"),
        ("Access-Control-Allow-Origin", "*"),
        ("X-Content-Type-Options", "nosniff"),
    )
    if names_etag(request.headers.get("if-none-match", ""), tag):
        return Reply("304 Not Modified", headers)
    body = made.compressed if compressed else made.text
    if compressed:
        headers += (("Content-Encoding", "gzip"),)
    headers += (("Content-Length", str(len(body))),)
    return Reply("200 OK", headers, b"" if request.method == "HEAD" else body)
