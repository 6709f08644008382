"""The nginx site in front of a box: media straight from the folder, a cache of one second for what everybody asks.

Rules and their reasons are from a trial of this channel with six players:
- a playlist is kept for one second and no longer: an hour's copy froze hls.js after twelve;
- one request at a time renews it, the others get the old one meanwhile, and so do all while the web server is away:
  ten seconds of that cost no player a frame;
- an entry nobody asked for goes after 30 s, so that the first viewer after a pause gets no old list.
"""

from pathlib import Path
from typing import Final

from appliance.web.media import CACHE_FOR_EVER, MEDIA_POLICY, OCTETS, TYPES
from appliance.web.worker import BODY_BYTES_MAX, IDLE_S, RECEIVE_S, STALLED_S

TEMPORARY: Final = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
UPSTREAM_IDLE_S: Final = IDLE_S - 5
"""nginx lets go of an idle connection before the web server does, or a request could meet a closed one."""


def whole(site: str, folder: Path) -> str:
    """A complete nginx.conf for one site, which runs in the foreground as any user; `folder` takes what it writes."""
    temporary = "\n".join(
        f"    {kind}_temp_path {_quoted(folder / kind)};"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    return f"""daemon off;
worker_processes auto;
pid {_quoted(folder / "nginx.pid")};
error_log stderr warn;
events {{
    worker_connections 4096;
}}
http {{
    access_log off;
{temporary}

{site}
}}
"""


def site(name: str, public: Path, cache: Path | str, listen: str, upstream: str) -> str:
    """What goes into the http block; `listen` and `upstream` are `ADDRESS:PORT`, `cache` begins two folders' names."""
    return f"""# Songshan Edge, {name}. Made by `songshan web --print-nginx`; to be made again when web.bind changes.
upstream songshan {{
    server {upstream};
    keepalive 32;
    keepalive_timeout {UPSTREAM_IDLE_S:.0f}s;
}}
proxy_cache_path {_quoted(f"{cache}-answers")} levels=1 keys_zone=songshan_answers:4m
    inactive=30s max_size=64m use_temp_path=off;
proxy_cache_path {_quoted(f"{cache}-segments")} levels=1:2 keys_zone=songshan_segments:4m
    inactive=2m max_size=512m use_temp_path=off;
limit_req_zone $binary_remote_addr zone=songshan_tips:1m rate=12r/m;

# Whether If-None-Match names the asset asked for.
map "$http_if_none_match $uri" $songshan_fresh {{
    default 0;
    "~^\\* " 1;
    "~\\"([0-9a-f]{{64}})\\".* /media/(?:sha256:)?\\1(?:/|$)" 1;
}}
map $http_accept_encoding $songshan_coding {{
    default "";
    "~*\\bgzip\\b" gzip;
}}

server {{
    listen {listen};
    server_tokens off;
    charset off;
    sendfile on;
    tcp_nopush on;
    large_client_header_buffers 4 4k;
    client_max_body_size {BODY_BYTES_MAX};
    client_header_timeout {RECEIVE_S:.0f}s;
    client_body_timeout {RECEIVE_S:.0f}s;
    send_timeout {STALLED_S:.0f}s;
    keepalive_timeout {IDLE_S:.0f}s;
    keepalive_requests 100000;

    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header Connection "";
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header Accept-Encoding $songshan_coding;
    proxy_connect_timeout 1s;
    proxy_read_timeout {RECEIVE_S:.0f}s;
    proxy_next_upstream off;
    # The keys below name all that an answer depends on.
    proxy_ignore_headers Vary;
    proxy_cache_lock on;
    proxy_cache_lock_timeout 2s;
    proxy_cache_use_stale error timeout invalid_header updating http_500 http_502 http_503 http_504;

    location ~ "^/media/(?:sha256:)?(?<digest>[0-9a-f]{{64}})(?:/[^/]+)?$" {{
        alias {_quoted(f"{public}/$digest")};
        disable_symlinks on from={_quoted(public)};
        max_ranges 1;
        etag off;
        if_modified_since off;
        default_type {OCTETS};
        types {{
{_types()}
        }}
        # No `always`: an error must not be kept for ever.
        add_header Last-Modified "";
        add_header ETag "\\"$digest\\"";
        add_header Cache-Control "{CACHE_FOR_EVER}";
        add_header X-Content-Type-Options nosniff;
        add_header Content-Security-Policy "{MEDIA_POLICY}";
        add_header Access-Control-Allow-Origin *;
        if (!-f $request_filename) {{
            return 404;
        }}
        if ($songshan_fresh) {{
            return 304;
        }}
    }}

    # What a playlist lists is the same for ever; it is kept for a minute only, so that a recall is not outlived here.
    location ~ ^/live/.+\\.(ts|aac|m4s|mp4)$ {{
        proxy_pass http://songshan;
        proxy_cache songshan_segments;
        proxy_cache_key $uri;
        proxy_ignore_headers Vary Cache-Control;
        proxy_cache_valid 200 1m;
    }}

    location ~ ^/(live|catchup)/.+\\.m3u8$ {{
        proxy_pass http://songshan;
        proxy_cache songshan_answers;
        proxy_cache_key $uri|$songshan_coding;
    }}

    location = /api/v1/tips {{
        limit_req zone=songshan_tips burst=6 nodelay;
        limit_req_status 429;
        proxy_pass http://songshan;
    }}

    # For the house: days for other engines, what they aired. Each asks for the token, nothing of it is kept.
    location /playout/ {{
{_HOUSE}
        proxy_pass http://songshan;
    }}

    # Pages and API. How long an answer is kept, if at all, is said by the answer (X-Accel-Expires, Cache-Control).
    location / {{
        proxy_pass http://songshan;
        proxy_cache songshan_answers;
        proxy_cache_key $request_uri|$songshan_coding|$cookie_lang|$http_accept_language;
    }}

    location ~ ^/(readyz|metrics)$ {{
{_HOUSE}
        proxy_pass http://songshan;
    }}
}}
"""


_HOUSE: Final = """\
        allow 127.0.0.0/8;
        allow ::1;
        allow 10.0.0.0/8;
        allow 172.16.0.0/12;
        allow 192.168.0.0/16;
        allow fc00::/7;
        deny all;"""
"""Whom a county's own network is made of; nobody else sees the locations that have it."""


def _types() -> str:
    return "\n".join(f'            "{media_type}" {ending};' for ending, media_type in TYPES.items())


def _quoted(path: Path | str) -> str:
    """A path as one nginx argument."""
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
