"""The pages' own files: kept for ever at an address of their content, fresh at their plain one."""

import gzip
import re
from pathlib import Path

import pytest

from appliance.web.front import Request
from appliance.web.static_files import FOLDER, StaticFiles

FILES = StaticFiles()
OTHER_HOST = re.compile(
    rb"""(?:src|href|url|import|fetch|open)\s*[=(]?\s*["'(]?\s*(?:https?:)?//[a-z]""", re.IGNORECASE
)


def test_a_versioned_address_is_kept_for_ever_and_an_old_one_is_gone() -> None:
    """After an upgrade no phone may mix old script with new pages."""
    address = FILES.address("app.css")
    reply = FILES.answer(Request("GET", address, {}))
    assert reply.body == (FOLDER / "app.css").read_bytes()
    assert "immutable" in dict(reply.headers)["Cache-Control"]
    old = re.sub(r"\.[0-9a-f]{10}\.", ".0000000000.", address)
    assert FILES.answer(Request("GET", old, {})).status == "404 Not Found"
    assert dict(FILES.answer(Request("GET", "/static/app.css", {})).headers)["Cache-Control"] == "no-cache"


def test_compressed_it_is_the_same_file_under_another_tag() -> None:
    """A cache that mixes the two up shows rubbish."""
    address = FILES.address("vendor/hls.light.min.js")
    packed = FILES.answer(Request("GET", address, {"accept-encoding": "gzip, br"}))
    whole = FILES.answer(Request("GET", address, {}))
    assert isinstance(packed.body, bytes)
    assert gzip.decompress(packed.body) == whole.body
    assert dict(packed.headers)["ETag"] != dict(whole.headers)["ETag"]
    assert dict(packed.headers)["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize(
    "path", ["/static/../app.py", "/static/", "/static/app", "/static//etc/passwd", "/static/vendor"]
)
def test_only_known_files_are_served(path: str) -> None:
    """They are looked up in memory; no path reaches the disk."""
    assert FILES.answer(Request("GET", path, {})).status == "404 Not Found"


@pytest.mark.parametrize(
    "path", sorted(FOLDER.glob("*.*")) + sorted((FOLDER.parent / "templates").glob("*.html")), ids=str
)
def test_nothing_of_ours_names_another_host(path: Path) -> None:
    """A county in an outage has no other hosts."""
    assert OTHER_HOST.search(path.read_bytes()) is None
