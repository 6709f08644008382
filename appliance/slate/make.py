"""Draws the two stills anew and packages them: `python -m appliance.slate.make`, with Debian's fonts-wqy-zenhei.

Their bytes are the built-in fallback of every channel: whoever changes them changes `appliance.core.air.SLATE` too.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from appliance import packaging, slate

FONT = "/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"
GROUND = "0x14202b"
ACCENT = "0xc8a04a"


def main() -> int:
    """Write both stills and tell their digests."""
    for path, chinese, english in (
        (slate.slate_path(), "节目稍后继续", "Back shortly"),
        (slate.sound_path(), "正在播出声音节目", "Sound only"),
    ):
        with tempfile.TemporaryDirectory() as folder:
            drawn = Path(folder) / "still.mkv"
            subprocess.run(_draw_argv(Path(folder), chinese, english, drawn), check=True, timeout=60)
            packaged = packaging.package(drawn, path)
        sys.stdout.write(f"{path.name} {packaged.rendition.digest} {packaged.rendition.size_bytes}\n")
    return 0


def _draw_argv(folder: Path, chinese: str, english: str, out: Path) -> list[str]:
    filters = ["drawbox=x=(iw-96)/2:y=292:w=96:h=4:color=" + ACCENT + ":t=fill"]
    for name, text, size, y, colour in (("zh", chinese, 72, 330, "0xf2efe8"), ("en", english, 34, 438, "0x9fb0bd")):
        (folder / name).write_text(text, encoding="utf-8")
        filters.append(
            f"drawtext=fontfile={FONT}:textfile={folder / name}:fontsize={size}:fontcolor={colour}:x=(w-tw)/2:y={y}"
        )
    source = f"color=c={GROUND}:s=1280x720:r=25:d=2"
    return ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", source, "-vf", ",".join(filters), "-c:v", "ffv1", str(out)]


if __name__ == "__main__":
    sys.exit(main())
