"""The app's API: what it tells, in which shape, and what it refuses."""

import hashlib
import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from appliance import files, spool
from appliance.core.asset import Asset
from appliance.core.command import Tip
from appliance.core.moment import US, to_text
from appliance.store import items
from appliance.web.app import create_app
from appliance.web.tips import BURST, CONTACT_CHARS_MAX, TEXT_CHARS_MAX
from tests.appliance.web.county import PICTURE, County, now_us

MISSING = Asset("sha256:" + "9" * 64, 10, "没来.mp4", "video/mp4", "video")


def get(client: FlaskClient, path: str, status: int = 200) -> Any:
    answer = client.get(path)
    assert answer.status_code == status, answer.text
    return answer.json


def test_items_come_newest_first_a_page_at_a_time(county: County, client: FlaskClient) -> None:
    """An app that scrolls must meet every item once."""
    for number in range(5):
        county.publish(f"item-{number}", f"第{number}条", created_at=to_text(now_us() - number * 60 * US))
    seen, path = [], "/api/v1/items?per_page=2"
    while path:
        page = get(client, path)
        assert page["total"] == 5
        seen += [item["id"] for item in page["items"]]
        path = page["next"]
    assert seen == [f"item-{number}" for number in range(5)]
    assert get(client, "/api/v1/items?page=9")["items"] == []


def test_items_are_found_by_section_and_by_words(county: County, client: FlaskClient) -> None:
    """Search looks into the text too, and takes what is typed for what it is."""
    county.publish("a", "口袋公园", section="government")
    county.publish("b", "烩面", section="shop", body_html="<p>老字号 100%_面馆</p>")
    assert [item["id"] for item in get(client, "/api/v1/items?section=shop")["items"]] == ["b"]
    for words, found in (
        ("公园", ["a"]),
        ("面馆", ["b"]),
        ("100%_", ["b"]),
        ("%", ["b"]),
        ("' OR 1=1 --", []),
        ("\x00", []),
    ):
        listed = client.get("/api/v1/items", query_string={"q": words}).json
        assert listed is not None
        assert [item["id"] for item in listed["items"]] == found, words


def test_an_item_tells_where_its_media_are(county: County, client: FlaskClient) -> None:
    """What the document names must be there under the address it gives, byte for byte."""
    picture = county.bring(PICTURE, "嵩山 红叶.jpg", "image/jpeg", "picture")
    nameless = county.bring(b"video", "", "video/mp4", "video", 12.5)
    county.publish("a", assets=(picture, nameless))
    document = get(client, "/api/v1/items/a")
    assert [asset["available"] for asset in document["assets"]] == [True, True]
    for asset, bytes_there, media_type in zip(
        document["assets"], (PICTURE, b"video"), ("image/jpeg", "video/mp4"), strict=True
    ):
        answer = client.get(asset["url"])
        assert (answer.data, answer.mimetype) == (bytes_there, media_type)
        assert "sha256:" + hashlib.sha256(answer.data).hexdigest() == asset["digest"]
    (entry,) = get(client, "/api/v1/items")["items"]
    assert entry["picture"] == document["assets"][0]["url"]
    assert entry["has_video"] is True


def test_an_item_whose_file_has_gone_bad_is_shown_without_it(county: County, client: FlaskClient) -> None:
    """One broken picture must not take a story from the page, nor leave a hole that cannot be loaded."""
    picture = county.bring(PICTURE, "a.jpg", "image/jpeg", "picture")
    county.publish("a", assets=(picture,))
    files.withdraw_link(county.config, picture.digest)
    document = get(client, "/api/v1/items/a")
    assert [asset["available"] for asset in document["assets"]] == [False]
    assert get(client, "/api/v1/items")["items"][0]["picture"] is None
    page = client.get("/items/a")
    assert page.status_code == 200
    assert picture.digest.removeprefix("sha256:") not in page.text


def test_an_item_appears_when_all_its_files_have(county: County, client: FlaskClient) -> None:
    """A story without its film is not yet the story that was signed off."""
    county.publish("a", assets=(MISSING,))
    get(client, "/api/v1/items/a", 404)
    assert get(client, "/api/v1/items")["items"] == []


def test_before_its_time_and_after_it_an_item_is_not_there(county: County, client: FlaskClient) -> None:
    """An embargo that leaks once is worth nothing: not in lists, not by its address, not by its words."""
    hour = 3600 * US
    county.publish("early", "提前的消息", publish_at=to_text(now_us() + hour))
    county.publish("late", "过期的消息", publish_at=to_text(now_us() - 2 * hour), until=to_text(now_us() - hour))
    county.publish("now", "现在的消息", publish_at=to_text(now_us() - hour), until=to_text(now_us() + hour))
    assert [item["id"] for item in get(client, "/api/v1/items?q=消息")["items"]] == ["now"]
    for item_id in ("early", "late"):
        get(client, f"/api/v1/items/{item_id}", 404)
        assert client.get(f"/items/{item_id}").status_code == 404


def test_a_recalled_item_is_gone_and_says_so(county: County, client: FlaskClient) -> None:
    """410 tells every cache and app to forget it; the media go with it."""
    picture = county.bring(PICTURE, "a.jpg", "image/jpeg", "picture")
    county.publish("a", assets=(picture,))
    address = get(client, "/api/v1/items/a")["assets"][0]["url"]

    county.write(lambda db: items.recall(db, "a", "事实有误", now_us()))
    files.withdraw_link(county.config, picture.digest)

    problem = get(client, "/api/v1/items/a", 410)
    assert problem["problems"][0]["zh"] == "内容已撤下"
    page = client.get("/items/a")
    assert page.status_code == 410
    assert "嵩山深处" not in page.text
    assert get(client, "/api/v1/items")["items"] == []
    assert client.get(address).status_code == 404


def test_script_in_a_body_does_not_come_out(county: County, client: FlaskClient) -> None:
    """Neither on the page nor through the API, which other pages are built on."""
    county.publish("a", body_html='<p>正文</p><script>steal()</script><img src=x onerror="steal()">', title="<b>题</b>")
    assert get(client, "/api/v1/items/a")["body_html"] == "<p>正文</p><img>"
    page = client.get("/items/a").text
    assert "<p>正文</p>" in page
    assert "steal" not in page
    assert "&lt;b&gt;题&lt;/b&gt;" in page


WRONG_QUERIES = (
    *("page=-1", "page=0", "page=x", "page=1.5", "page=99999999999999999999", "page=", "per_page=0", "per_page=101"),
    *("section=sport", "section=", "section=news'--", f"q={'长' * 101}"),
)


@pytest.mark.parametrize("query", WRONG_QUERIES)
@pytest.mark.parametrize("path", ["/api/v1/items", "/"])
def test_a_query_that_means_nothing_is_refused(client: FlaskClient, path: str, query: str) -> None:
    """A wrong page is an answer to another question."""
    answer = client.get(f"{path}?{query}")
    assert answer.status_code == 400
    if path.startswith("/api"):
        assert answer.mimetype == "application/problem+json"
        assert answer.json is not None
        assert answer.json["problems"][0]["zh"]


@pytest.mark.parametrize(
    "item_id", ["nope", "-", "a" * 65, "A", "../a", "%2e%2e", "a%00b", "嵩山", "' OR 1=1", "x" * 3000]
)
def test_unknown_items_are_not_found(county: County, client: FlaskClient, item_id: str) -> None:
    """Whatever stands where an id should is only ever compared."""
    county.publish("a")
    for path in (f"/api/v1/items/{item_id}", f"/items/{item_id}"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("date", ["2026-13-01", "yesterday", "20261124", "2026-11-24T00:00", "", "2026-W48-2"])
def test_a_day_that_is_none_is_refused(client: FlaskClient, date: str) -> None:
    """The guide of another day would be believed."""
    get(client, f"/api/v1/channels/dengfeng-1/epg?date={date}", 400)


@pytest.mark.parametrize("date", ["0001-01-01", "9999-12-31", "1969-12-31"])
def test_the_guide_of_a_far_day_is_empty(client: FlaskClient, date: str) -> None:
    """Dates are unbounded, clocks are not."""
    assert get(client, f"/api/v1/channels/dengfeng-1/epg?date={date}")["programmes"] == []


def test_channels_are_told_with_their_addresses(client: FlaskClient) -> None:
    """A player needs no more than this."""
    (channel,) = get(client, "/api/v1/channels")["channels"]
    assert channel["live"] == "/live/dengfeng-1/index.m3u8"
    get(client, "/api/v1/channels/nowhere/epg", 404)
    assert client.get("/live/nowhere").status_code == 404


def post_tip(client: FlaskClient, body: object, **headers: str) -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/api/v1/tips", data=data, content_type="application/json", headers=fields)


def test_a_tip_lies_in_the_spool_when_it_was_taken(county: County, client: FlaskClient) -> None:
    """Thank-you to a citizen is a promise: it is on the disk, whether the agent runs or not."""
    answer = post_tip(client, {"text": " 路口信号灯坏了 ", "contact": "138"})
    assert answer.status_code == 202
    (name,) = spool.pending(county.config)
    assert answer.json == {"id": name}
    command, attachments = spool.read(county.config, name)
    assert isinstance(command, Tip)
    assert (command.text, command.contact, command.via, attachments) == ("路口信号灯坏了", "138", "web", ())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        {"contact": "1"},
        {"text": ""},
        {"text": " \n\t "},
        {"text": 5},
        {"text": "x" * (TEXT_CHARS_MAX + 1)},
        {"text": "x", "contact": "y" * (CONTACT_CHARS_MAX + 1)},
        b'{"text": "\xff\xfe"}',
        b'{"text": "\\ud800"}',
        b"[" * 10_000,
    ],
)
def test_a_tip_that_is_none_is_refused_and_leaves_nothing(county: County, client: FlaskClient, body: object) -> None:
    """What lies in the spool can be read by the agent, always."""
    assert post_tip(client, body).status_code == 400
    assert spool.pending(county.config) == []


def test_a_tip_comes_from_our_own_pages_only(county: County, client: FlaskClient) -> None:
    """Another site's page must not write in its visitor's name."""
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
    ):
        assert post_tip(client, {"text": "x"}, **headers).status_code == 403, headers
    form = client.post("/api/v1/tips", data={"text": "x"})
    assert form.status_code == 415
    assert spool.pending(county.config) == []
    assert post_tip(client, {"text": "x"}, Origin="http://localhost", Sec_Fetch_Site="same-origin").status_code == 202


def test_too_many_tips_are_held_back_for_each_address(county: County, client: FlaskClient) -> None:
    """One script must not bury what the county has to say."""
    for _ in range(BURST):
        assert post_tip(client, {"text": "x"}).status_code == 202
    held = post_tip(client, {"text": "x"})
    assert held.status_code == 429
    assert int(held.headers["Retry-After"]) > 0
    assert post_tip(client, {"text": "x"}, X_Real_IP="10.0.0.7").status_code == 202
    assert len(spool.pending(county.config)) == BURST + 1


def test_what_a_stranger_says_of_his_address_is_not_believed(county: County) -> None:
    """Only nginx on this machine may say for whom it asks."""
    client = create_app(county.config).test_client()
    for number in range(BURST + 1):
        answer = client.post(
            "/api/v1/tips",
            json={"text": "x"},
            headers={"X-Real-IP": f"10.0.0.{number}"},
            environ_base={"REMOTE_ADDR": "203.0.113.9"},
        )
    assert answer.status_code == 429


def test_a_full_spool_is_said_and_not_a_crash(county: County, client: FlaskClient) -> None:
    """When the agent is down for days the box tells citizens to come back, and keeps what it has."""
    new = county.config.spool / "new"
    for number in range(county.config.limits.spool_waiting_max):
        (new / f"{number:020d}-{'0' * 12}").touch()
    answer = post_tip(client, {"text": "x"})
    assert answer.status_code == 503
    assert answer.json["problems"]


def test_only_reading_is_open_to_other_pages(client: FlaskClient) -> None:
    """A county's own site may read the API from its pages; nobody may write across sites."""
    assert client.get("/api/v1/items").headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Origin" not in post_tip(client, {"text": "x"}).headers
    assert client.options("/api/v1/tips").headers.get("Access-Control-Allow-Origin") is None


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/", "/api/v1/items", "/api/v1/items/a", "/healthz", "/live/dengfeng-1/index.m3u8"])
def test_what_can_only_be_read_refuses_all_else(client: FlaskClient, method: str, path: str) -> None:
    """No verb finds a door that is not meant to be one."""
    answer = client.open(path, method=method)
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_without_a_database_the_api_says_what_to_do(county: County, client: FlaskClient) -> None:
    """A new box, or one whose agent never ran, is not broken; it is not ready."""
    county.close()
    county.config.database.unlink()
    problem = get(client, "/api/v1/items", 503)
    assert "数据库" in problem["problems"][0]["zh"]
    assert client.get("/").status_code == 503
    assert client.get("/healthz").status_code == 200
