"""From a file to an asset: what it is, its place in the pile, and for clips the house format, once for all sites."""

import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from appliance.core.asset import Asset, AssetRole
from appliance.core.errors import Refused, SongshanError, Text
from provisioning.hub.library import Facts, Library

if TYPE_CHECKING:
    from appliance import packaging
    from appliance.packaging import Packaged

CLIPS: Final = {
    ".3gp": "video/3gpp", ".avi": "video/x-msvideo", ".dv": "video/x-dv", ".flv": "video/x-flv", ".gxf": "video/gxf",
    ".m2ts": "video/mp2t", ".m4v": "video/mp4", ".mkv": "video/x-matroska", ".mov": "video/quicktime",
    ".mp4": "video/mp4", ".mpeg": "video/mpeg", ".mpg": "video/mpeg", ".mts": "video/mp2t", ".mxf": "application/mxf",
    ".ts": "video/mp2t", ".webm": "video/webm", ".wmv": "video/x-ms-wmv",
    ".aac": "audio/aac", ".aiff": "audio/aiff", ".flac": "audio/flac", ".m4a": "audio/mp4", ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg", ".wav": "audio/wav",
}  # fmt: skip
"""What is brought to house format, by suffix; it is refused when its content is something else."""
FRAMES_PER_S: Final = 25

_PICTURES: Final = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png", b"GIF8": "image/gif"}
_FILES: Final = {".pdf": "application/pdf", ".txt": "text/plain", ".zip": "application/zip"}

Progress = Callable[[Path, "packaging.Progress"], None]


@dataclass(frozen=True)
class Intent:
    """Under which conditions files are brought in."""

    bytes_max: int
    recalled: Collection[str]
    """Digests that may not come back."""
    progress: Progress


def take_in(library: Library, sources: Sequence[Path], intent: Intent) -> tuple[Asset, ...]:
    """Bring files into the pile, and clips to house format. All of them or none: Refused with every file's reason."""
    assets: list[Asset] = []
    problems: list[Text] = []
    new: list[str] = []
    try:
        for source in sources:
            try:
                with _named(source):
                    assets.append(_take_in(library, source, intent, new))
            except Refused as refused:
                problems += refused.problems
        if problems:
            raise Refused(*problems)
    except SongshanError:
        for digest in new:
            library.remove(digest)
        raise
    return _with_poster(tuple(assets))


def with_rendition(library: Library, asset: Asset, progress: Progress) -> Asset:
    """An asset of the pile in house format too, made now where nobody has yet. Refused when it cannot be aired."""
    known = library.facts(asset.digest)
    if known is None or not _is_whole(library, known):
        known = _package(library, asset, progress)
    if known.asset.rendition is None:
        raise Refused(known.reason or Text("没有播出格式", "not in house format"))
    made = known.asset
    return msgspec.structs.replace(asset, rendition=made.rendition, duration_s=made.duration_s, check=made.check)


def _take_in(library: Library, source: Path, intent: Intent, new: list[str]) -> Asset:
    """One file; what it adds to the pile is noted in `new` first."""
    media_type, role = _kind_of(source)
    digest, size_bytes, is_new = library.copy_in(source, intent.bytes_max)
    new += [digest] if is_new else []
    if digest in intent.recalled:
        raise Refused(Text("已被撤回", "it was recalled"))
    asset = Asset(digest, size_bytes, source.name, media_type, role)
    if source.suffix.lower() not in CLIPS:
        return asset
    aired = with_rendition(library, asset, lambda _path, now: intent.progress(source, now))
    facts = library.facts(digest)
    assert facts is not None
    return msgspec.structs.replace(aired, role=facts.asset.role)


def _package(library: Library, asset: Asset, progress: Progress) -> Facts:
    """Make the rendition, once: whoever comes second takes what the first one made."""
    from appliance import packaging

    source = library.path_of(asset.digest)
    clip = packaging.probe(source)
    out = library.folder.assets / f".{secrets.token_hex(8)}.ts"
    try:
        target_lufs = library.folder.settings().loudness_lufs
        packaged = packaging.package(source, out, lambda now: progress(source, now), target_lufs)
        with library.folder.locked():
            known = library.facts(asset.digest)
            made = known.asset.rendition if known is not None else None
            if known is None or (made is not None and not library.holds(made.digest)):
                known = _keep(library, asset, packaged, out, "video" if clip.video else "audio")
    finally:
        out.unlink(missing_ok=True)
    return known


def _is_whole(library: Library, known: Facts) -> bool:
    """Whether the rendition is still there, if there ever was one; it is about to be referred to."""
    made = known.asset.rendition
    return made is None or library.use(known.asset.digest, made.digest)


def _keep(library: Library, asset: Asset, packaged: "Packaged", out: Path, role: AssetRole) -> Facts:
    library.adopt(out, packaged.rendition.digest)
    duration_s = packaged.rendition.frames / FRAMES_PER_S
    made, check = packaged.rendition, packaged.check
    facts = Facts(msgspec.structs.replace(asset, rendition=made, duration_s=duration_s, role=role, check=check))
    library.keep_facts(facts)
    return facts


def _kind_of(source: Path) -> tuple[str, AssetRole]:
    """Media type and role, by suffix for clips and by content for pictures."""
    try:
        with source.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise Refused(Text(error.strerror or "读不出", error.strerror or "cannot be read")) from error
    suffix = source.suffix.lower()
    picture = next((kind for magic, kind in _PICTURES.items() if head.startswith(magic)), None)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        picture = "image/webp"
    if picture is not None:
        if suffix in CLIPS:
            raise Refused(Text(f"内容是图片，名字却是 {suffix}", f"a picture under a name in {suffix}"))
        return picture, "picture"
    return CLIPS.get(suffix) or _FILES.get(suffix, "application/octet-stream"), "video" if suffix in CLIPS else "file"


def _with_poster(assets: tuple[Asset, ...]) -> tuple[Asset, ...]:
    """The first picture beside a video is what is shown before it plays."""
    if not any(asset.role == "video" for asset in assets):
        return assets
    poster = next((asset for asset in assets if asset.role == "picture"), None)
    return tuple(msgspec.structs.replace(asset, role="poster") if asset is poster else asset for asset in assets)


@contextmanager
def _named(source: Path) -> Iterator[None]:
    """Say of which file a refusal speaks."""
    try:
        yield
    except Refused as refused:
        named = (Text(f"{source.name}：{text.zh}", f"{source.name}: {text.en}") for text in refused.problems)
        raise Refused(*named, hint=refused.hint) from refused
