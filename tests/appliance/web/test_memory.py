"""Answers given a second time: only to the same question, only for a second, only while nothing has changed."""

import time
from typing import Any

import pytest

from appliance.core.moment import US, to_text
from appliance.store import items
from appliance.web.app import create_app
from appliance.web.front import Front, Reply, Request
from appliance.web.memory import ANSWERS_MAX, Memory
from tests.appliance.web.county import County, now_us


@pytest.fixture
def front(county: County) -> Front:
    county.publish("a")
    made: Any = create_app(county.config).wsgi_app
    assert isinstance(made, Front)
    return made


def ask(front: Front, path: str, **headers: str) -> bytes:
    """As a thread of the worker does."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "h",
        "SERVER_PORT": "80",
        "wsgi.url_scheme": "http",
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }
    return b"".join(front(environ, lambda *_: lambda _data: None))


def recalled(front: Front, path: str, method: str = "GET", **headers: str) -> Reply | None:
    """As the worker's loop does."""
    return front.at_once(Request(method, path, {name.replace("_", "-"): value for name, value in headers.items()}))


@pytest.mark.parametrize("path", ["/", "/items/a", "/api/v1/items", "/api/v1/items/a", "/api/v1/channels"])
def test_the_same_question_has_the_same_answer_at_once(front: Front, path: str) -> None:
    """A crowd asks one thing."""
    assert recalled(front, path) is None
    body = ask(front, path)
    again = recalled(front, path)
    assert again is not None
    assert again.body == body
    assert dict(again.headers)["Content-Length"] == str(len(body))
    head = recalled(front, path, "HEAD")
    assert head is not None
    assert head.body == b""


def test_what_the_agent_writes_ends_every_answer_at_once(county: County, front: Front) -> None:
    """A recall bites with the next request, not a second later."""
    ask(front, "/api/v1/items/a")
    assert recalled(front, "/api/v1/items/a") is not None
    county.write(lambda db: items.recall(db, "a", "有误", now_us()))
    assert recalled(front, "/api/v1/items/a") is None
    assert b"410" in ask(front, "/api/v1/items/a")
    assert recalled(front, "/api/v1/items/a") is None, "a refusal is never kept"


def test_an_answer_lasts_a_second(county: County, front: Front) -> None:
    """Items appear and go by the clock, without anything being written."""
    county.publish("soon", publish_at=to_text(now_us() + US // 2))
    assert b"soon" not in ask(front, "/api/v1/items")
    time.sleep(1.2)
    assert recalled(front, "/api/v1/items") is None
    assert b"soon" in ask(front, "/api/v1/items")


@pytest.mark.parametrize(
    "other",
    [{"cookie": "lang=en"}, {"cookie": 'lang="en"'}, {"accept_language": "en"}, {"accept_encoding": "gzip"}],
)
def test_another_reader_does_not_get_it(front: Front, other: dict[str, str]) -> None:
    """One reader's language, or packing, must not be everybody's."""
    ask(front, "/", **other)
    assert recalled(front, "/") is None
    assert recalled(front, "/", **other) is not None


def test_without_the_agent_nothing_is_kept(county: County) -> None:
    """A database that nobody has open may begin to change without telling."""
    county.publish("a")
    county.close()
    front: Any = create_app(county.config).wsgi_app
    assert b'"a"' in ask(front, "/api/v1/items")
    assert recalled(front, "/api/v1/items") is None


def test_memory_is_bounded(county: County, front: Front) -> None:
    """Whatever is asked, a worker stays small."""
    memory = Memory(county.config.database)
    for number in range(ANSWERS_MAX + 10):
        reply = Reply("200 OK", (("X-Accel-Expires", "1"),), b"x")
        memory.keep(Request("GET", f"/{number}", {}), memory.version(), reply)
    memory.keep(
        Request("GET", "/large", {}), memory.version(), Reply("200 OK", (("X-Accel-Expires", "1"),), b"x" * 10**6)
    )
    assert len(memory._answers) == ANSWERS_MAX
    assert memory.recall(Request("GET", "/large", {})) is None
    assert memory.recall(Request("GET", "/0", {})) is None
