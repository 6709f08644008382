"""The nginx site that gives out what the watch writes: `songshan-hub watch --print-nginx ADDRESS:PORT`, on the inside
only."""

from collections.abc import Sequence
from pathlib import Path


def site(page: Path, listen: str, allowed: Sequence[str] = ()) -> str:
    """What goes into the http block. `allowed`: the networks that may look, and no other; () for whoever reaches it."""
    access = [*(f"    allow {network};" for network in allowed), *(["    deny all;"] if allowed else [])]
    return f"""\
# The fleet's page and figures. Made by `songshan-hub watch --print-nginx`.
server {{
    listen {listen};
    root "{page}";
    index index.html;
    charset utf-8;
    server_tokens off;
    types {{ text/html html; text/css css; application/json json; }}
    add_header Cache-Control no-cache always;
    add_header X-Content-Type-Options nosniff always;
    add_header X-Frame-Options DENY always;
{"".join(f"{line}{chr(10)}" for line in access)}\
    # The pages tell their age by this server's clock.
    ssi on;
    ssi_silent_errors on;

    location = /metrics {{
        charset off;
        default_type "text/plain; version=0.0.4; charset=utf-8";
        alias "{page / "metrics.prom"}";
    }}
}}
"""
