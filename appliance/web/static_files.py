"""`/static/…`: the few files of the pages themselves, in memory, compressed once, at an address of their content."""

import gzip
from hashlib import blake2b
from pathlib import Path
from typing import Final, NamedTuple

from appliance.web.front import Reply, Request, plain
from appliance.web.media import CACHE_FOR_EVER, names_etag

FOLDER: Final = Path(__file__).parent / "static"
TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


class _File(NamedTuple):
    plain: bytes
    compressed: bytes
    version: str
    media_type: str


class StaticFiles:
    """All files of the folder whose ending has a type; about half a megabyte, shared by the workers."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._files = {
            f"/static/{path.relative_to(folder)}": _load(path)
            for path in sorted(folder.rglob("*"))
            if path.suffix in TYPES and path.is_file()
        }

    def address(self, name: str) -> str:
        """Where a page finds a file: an address that changes with its content. KeyError when there is none such."""
        path = f"/static/{name}"
        stem, _, ending = path.rpartition(".")
        return f"{stem}.{self._files[path].version}.{ending}"

    def at_once(self, request: Request) -> Reply | None:
        """Always answers."""
        return self.answer(request)

    def answer(self, request: Request) -> Reply:
        """The file at `name.ending`, or at `name.version.ending`, which may be kept for ever."""
        if request.method not in ("GET", "HEAD"):
            return plain("405 Method Not Allowed", ("Allow", "GET, HEAD"))
        file, is_versioned = self._find(request.path)
        if file is None:
            return plain("404 Not Found")
        is_compressed = "gzip" in request.headers.get("accept-encoding", "")
        tag = f"{file.version}{'-gzip' if is_compressed else ''}"
        headers: tuple[tuple[str, str], ...] = (
            ("ETag", f'"{tag}"'),
            ("Cache-Control", CACHE_FOR_EVER if is_versioned else "no-cache"),
            ("Content-Type", file.media_type),
            ("Vary", "Accept-Encoding"),
            ("X-Content-Type-Options", "nosniff"),
        )
        if names_etag(request.headers.get("if-none-match", ""), tag):
            return Reply("304 Not Modified", headers)
        body = file.compressed if is_compressed else file.plain
        if is_compressed:
            headers += (("Content-Encoding", "gzip"),)
        headers += (("Content-Length", str(len(body))),)
        return Reply("200 OK", headers, b"" if request.method == "HEAD" else body)

    def _find(self, path: str) -> tuple[_File | None, bool]:
        if path in self._files:
            return self._files[path], False
        stem, _, ending = path.rpartition(".")
        name, _, version = stem.rpartition(".")
        file = self._files.get(f"{name}.{ending}")
        return (file, True) if file is not None and file.version == version else (None, False)


def _load(path: Path) -> _File:
    data = path.read_bytes()
    return _File(data, gzip.compress(data, 9, mtime=0), blake2b(data, digest_size=5).hexdigest(), TYPES[path.suffix])
