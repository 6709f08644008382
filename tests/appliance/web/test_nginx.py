"""nginx before the box: the same bytes and fields as without it, at its own speed, and on while the box is away."""

import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path

import psutil
import pytest

from appliance.core.asset import Asset
from tests.appliance.web.conftest import CHANNEL
from tests.appliance.web.county import PICTURE, County
from tests.appliance.web.servers import nginx_before, web

SAME_FIELDS = (
    "ETag",
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "Cache-Control",
    "X-Content-Type-Options",
    "Content-Security-Policy",
    "Access-Control-Allow-Origin",
)
FILM = os.urandom(300_000)


class Front:
    """A box behind nginx: both ports, one film, one story."""

    def __init__(self, county: County, web_port: int, nginx_port: int) -> None:
        self.county = county
        self.web = web_port
        self.nginx = nginx_port
        self.film: Asset = county.bring(FILM, "嵩山.mp4", "video/mp4", "video", 5.0)
        self.hex = self.film.digest.removeprefix("sha256:")
        county.publish("a", assets=(self.film,))


@pytest.fixture(scope="module")
def front(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Front]:
    folder = tmp_path_factory.mktemp("front")
    county = County(folder / "box", channels=(CHANNEL,))
    with web(county.home) as web_port, nginx_before(county.home, web_port, folder / "nginx") as nginx_port:
        yield Front(county, web_port, nginx_port)
    county.close()


def ask(
    port: int, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", port, timeout=15)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    data = response.read()
    connection.close()
    return response, data


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Range": "bytes=0-99"},
        {"Range": "bytes=100-"},
        {"Range": "bytes=-7"},
        {"Range": "bytes=0-0,5-9"},
        {"Range": "bytes=0-99", "If_Range": '"other"'},
        {"Range": "bytes=5-9", "If_Range": '"HEX"'},
        {"Range": "bytes=5-9", "If_Range": "Tue, 24 Nov 2026 06:00:00 GMT"},
        {"If_None_Match": '"other"'},
    ],
)
@pytest.mark.parametrize("name", ["", "/%E5%B5%A9%E5%B1%B1.mp4", "/a.jpg", "/a.html", "/noending"])
def test_media_are_the_same_with_and_without_nginx(
    front: Front, name: str, headers: dict[str, str], method: str
) -> None:
    """A phone must not notice who answers; a download may go on with the other."""
    fields = {key: value.replace("HEX", front.hex) for key, value in headers.items()}
    (alone, alone_data), (behind, behind_data) = (
        ask(port, f"/media/{front.hex}{name}", method, **fields) for port in (front.web, front.nginx)
    )
    assert behind.status == alone.status
    assert behind_data == alone_data
    for field in SAME_FIELDS:
        assert behind.getheader(field) == alone.getheader(field), field


@pytest.mark.parametrize("known", ['"HEX"', 'W/"HEX"', '"a", "HEX"', "*"])
def test_what_a_client_has_is_not_sent_again(front: Front, known: str) -> None:
    """Both say 304 to the same tags."""
    for port in (front.web, front.nginx):
        answer, data = ask(port, f"/media/sha256:{front.hex}/a.mp4", If_None_Match=known.replace("HEX", front.hex))
        assert (answer.status, data) == (304, b"")
        assert answer.getheader("ETag") == f'"{front.hex}"'


ELSEWHERE = (
    *("/media/" + "0" * 64, "/media/", "/media/../appliance.toml", "/media/HEX/../../state/box.db", "/media/HEX/a/b"),
    *("/media/%2e%2e/state/box.db", "/media/HEX%00", "/media//etc/passwd", "/state/box.db", "/public/HEX"),
)


@pytest.mark.parametrize("path", ELSEWHERE)
def test_nothing_but_media_can_be_had(front: Front, path: str) -> None:
    """The folder beside the media holds keys and the database."""
    for port in (front.web, front.nginx):
        answer, data = ask(port, path.replace("HEX", front.hex))
        assert answer.status in (400, 404), (port, data[:80])


def test_a_link_out_of_the_folder_is_not_followed(front: Front) -> None:
    """Whatever finds its way into the folder, only files of it are served."""
    link = front.county.config.public / ("e" * 64)
    link.symlink_to(front.county.home / "appliance.toml")
    for port in (front.web, front.nginx):
        assert ask(port, f"/media/{'e' * 64}")[0].status in (403, 404)
    link.unlink()


def test_a_withdrawn_asset_is_gone_with_the_next_request(front: Front) -> None:
    """nginx keeps no copy and no open file of media: a recall bites at once."""
    gone = front.county.bring(PICTURE, "a.jpg", "image/jpeg", "picture")
    hex_digest = gone.digest.removeprefix("sha256:")
    assert ask(front.nginx, f"/media/{hex_digest}/a.jpg")[1] == PICTURE
    (front.county.config.public / hex_digest).unlink()
    answer, _ = ask(front.nginx, f"/media/{hex_digest}/a.jpg", If_None_Match=f'"{hex_digest}"')
    assert answer.status == 404
    assert "immutable" not in (answer.getheader("Cache-Control") or "")


def test_bounds_hold_before_the_box_is_asked(front: Front) -> None:
    """What is too large is refused by the first who sees it."""
    assert ask(front.nginx, "/api/v1/tips", "POST", b"x" * 1_000_000, Content_Type="application/json")[0].status == 413
    assert ask(front.nginx, "/" + "a" * 20_000)[0].status == 414
    assert ask(front.nginx, "/", X="a" * 40_000)[0].status in (400, 431)


def test_tips_come_through_and_floods_do_not(front: Front) -> None:
    """The box rations by the address that nginx saw, nginx by its own count."""
    statuses = [
        ask(front.nginx, "/api/v1/tips", "POST", b'{"text": "x"}', Content_Type="application/json")[0].status
        for _ in range(12)
    ]
    assert statuses[0] == 202
    assert statuses[-1] == 429
    assert set(statuses) == {202, 429}


def test_one_answer_serves_everybody_for_a_second(front: Front) -> None:
    """A thousand phones at the same news cost the box one answer a second."""
    told = set()
    began = time.monotonic()
    while time.monotonic() - began < 0.5:
        told.add(ask(front.nginx, "/readyz")[1])
    assert len(told) > 2, "status is never kept"
    lists = {ask(front.nginx, "/api/v1/items")[0].getheader("Date") for _ in range(20)}
    assert lists


def test_languages_do_not_mix_in_the_cache(front: Front) -> None:
    """The first reader's language must not be everybody's for the next second."""
    for _ in range(3):
        assert '<html lang="en">' in ask(front.nginx, "/tip", Accept_Language="en")[1].decode()
        assert '<html lang="zh-CN">' in ask(front.nginx, "/tip", Accept_Language="zh-CN")[1].decode()
        assert '<html lang="en">' in ask(front.nginx, "/tip", Accept_Language="zh-CN", Cookie="lang=en")[1].decode()


def test_pages_and_media_go_on_while_the_box_is_away(tmp_path: Path) -> None:
    """Ten seconds without the web server, and no reader sees it; media need it not at all."""
    county = County(tmp_path / "box", channels=(CHANNEL,))
    film = county.bring(FILM, "a.mp4", "video/mp4", "video")
    county.publish("a", assets=(film,))
    paths = ("/", "/api/v1/items", "/items/a")
    with web(county.home) as web_port, nginx_before(county.home, web_port, tmp_path / "nginx") as port:
        before = {path: ask(port, path) for path in paths}
        assert {answer.status for answer, _ in before.values()} == {200}
        master = next(
            process for process in psutil.Process().children(recursive=True) if f":{web_port}" in str(process.cmdline())
        )
        workers = master.children()
        for process in (master, *workers):
            process.send_signal(signal.SIGSTOP)
        for process in (master, *workers):
            process.kill()
        psutil.wait_procs([master, *workers], timeout=10)
        time.sleep(2.5)
        for path in paths:
            answer, data = ask(port, path)
            assert (answer.status, data) == (200, before[path][1]), path
        assert ask(port, f"/media/{film.digest}/a.mp4")[1] == FILM
        assert ask(port, "/items/never-asked")[0].status == 502
    county.close()


def test_it_runs_as_any_user_and_prints_the_same_site(front: Front) -> None:
    """What a technician installs is what was tested here."""
    printed = subprocess.run(
        [str(Path(sys.executable).with_name("songshan")), "--home", str(front.county.home), "web", "--print-nginx"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert f'alias "{front.county.config.public}/$digest"' in printed
    assert "listen 80;" in printed
    assert "server 127.0.0.1:8080;" in printed
    mode = front.county.config.public.stat().st_mode
    assert stat.S_IMODE(mode) & stat.S_IRGRP, "nginx reads the folder through the group"
