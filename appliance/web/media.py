"""`/media/<digest>[/name]`: assets by Range from the folder of public links, with no database and no Flask.

The agent puts a hard link into `public/` when an asset may be seen and takes it away when it may not; whether the
link is there is the whole question asked here. nginx asks the same one of the same folder (`appliance.web.nginx`)
and must answer alike.
"""

import errno
import os
import re
import stat
from io import FileIO
from pathlib import Path
from typing import Final

from appliance.web.front import Reply, Request, Span, plain

CACHE_FOR_EVER: Final = "public, max-age=31536000, immutable"
MEDIA_POLICY: Final = "default-src 'none'; sandbox"
"""Content-Security-Policy of an asset: should a browser ever show one as a document, nothing in it may run."""

TYPES: Final = {
    "mp4": "video/mp4",
    "m4v": "video/mp4",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "ts": "video/mp2t",
    "mp3": "audio/mpeg",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
    "ogg": "audio/ogg",
    "wav": "audio/wav",
    "flac": "audio/flac",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "avif": "image/avif",
    "pdf": "application/pdf",
    "txt": "text/plain; charset=utf-8",
}
"""Media type by the ending of the name in the URL. No HTML, SVG or script: those go out as octets and are not shown."""

OCTETS: Final = "application/octet-stream"

_PATH: Final = re.compile(r"/media/(?:sha256:)?([0-9a-f]{64})(?:/([^/]+))?")
_RANGE: Final = re.compile(r"[ \t]*(\d{0,19})-(\d{0,19})[ \t]*", re.ASCII)
_ETAG: Final = re.compile(r'(?:W/)?"([^"]*)"')


class Media:
    """Answers paths under `/media/`; 404 for all that is not a link in `public`."""

    def __init__(self, public: Path) -> None:
        self._public = f"{public}{os.sep}"

    def at_once(self, request: Request) -> Reply | None:
        """Always answers: nothing is asked but one file, and its bytes are sent by whoever gets the reply."""
        return self.answer(request)

    def answer(self, request: Request) -> Reply:
        """The asset, a part of it, or why not."""
        if request.method not in ("GET", "HEAD"):
            return plain("405 Method Not Allowed", ("Allow", "GET, HEAD"))
        match = _PATH.fullmatch(request.path)
        try:
            file = open_asset(self._public + match[1]) if match else None
        except OSError:
            return plain("503 Service Unavailable", ("Retry-After", "2"))
        if match is None or file is None:
            return plain("404 Not Found")
        reply = _answer(request, file, match[1], media_type_of(match[2] or ""))
        if not isinstance(reply.body, Span):
            file.close()
        return reply


def open_asset(path: str) -> FileIO | None:
    """The file, or None where no regular file has just that name; follows no link and waits on no fifo.

    Raises OSError when it is the machine that fails: no descriptor left, a disk that cannot be read.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.EACCES):
            return None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return FileIO(descriptor)


def media_type_of(name: str) -> str:
    """By the ending alone, as nginx does."""
    return TYPES.get(name.rpartition(".")[2].lower(), OCTETS)


def parse_range(header: str, size_bytes: int) -> range | None:
    """The bytes that a Range header asks for: None when it is to be ignored, an empty range when it cannot be met.

    RFC 9110 section 14.1.2. Ignored: another unit, bad syntax, last before first, and more than one range (allowed by
    section 14.2; nobody who plays media asks for two).
    """
    unit, _, ranges = header.partition("=")
    match = _RANGE.fullmatch(ranges)
    if unit.strip().lower() != "bytes" or match is None:
        return None
    first, last = match.groups()
    if first == "":
        return None if last == "" else range(max(0, size_bytes - int(last)), size_bytes)
    if last != "" and int(last) < int(first):
        return None
    return range(int(first), size_bytes if last == "" else min(int(last) + 1, size_bytes))


def names_etag(header: str, tag: str) -> bool:
    """Whether an If-None-Match header covers the entity tag (weak comparison, RFC 9110 section 13.1.2)."""
    return header.strip() == "*" or tag in _ETAG.findall(header)


def _answer(request: Request, file: FileIO, hex_digest: str, media_type: str) -> Reply:
    size_bytes = os.fstat(file.fileno()).st_size
    etag = f'"{hex_digest}"'
    headers: tuple[tuple[str, str], ...] = (
        ("ETag", etag),
        ("Cache-Control", CACHE_FOR_EVER),
        ("Content-Type", media_type),
        ("Accept-Ranges", "bytes"),
        ("X-Content-Type-Options", "nosniff"),
        ("Content-Security-Policy", MEDIA_POLICY),
        ("Access-Control-Allow-Origin", "*"),
    )
    if names_etag(request.headers.get("if-none-match", ""), hex_digest):
        return Reply("304 Not Modified", headers)
    wanted, status = range(size_bytes), "200 OK"
    # An If-Range with a date never holds: no answer of ours gives a date.
    if "range" in request.headers and request.headers.get("if-range", etag) == etag:
        asked = parse_range(request.headers["range"], size_bytes)
        if asked is not None and not asked:
            return plain("416 Range Not Satisfiable", ("Content-Range", f"bytes */{size_bytes}"))
        if asked is not None:
            wanted, status = asked, "206 Partial Content"
            headers += (("Content-Range", f"bytes {wanted.start}-{wanted.stop - 1}/{size_bytes}"),)
    headers += (("Content-Length", str(len(wanted))),)
    if request.method == "HEAD" or not wanted:
        return Reply(status, headers)
    return Reply(status, headers, Span(file, wanted.start, len(wanted)))
