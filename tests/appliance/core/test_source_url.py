"""What people see of a live source's address: enough to go and look, nothing that lets anybody in."""

import pytest

from appliance.core.source_url import SHOWN_CHARS_MAX, login, shown, without_secrets


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("http://a.cn/live.m3u8", "http://a.cn/live.m3u8"),
        ("https://a.cn:8443/1/live.m3u8?token=s3cret&x=1", "https://a.cn:8443/1/live.m3u8?…"),
        ("http://me:s3cret@a.cn/live.m3u8", "http://…@a.cn/live.m3u8"),
        ("http://me:s3@cret@a.cn/x", "http://…@a.cn/x"),
        ("http://a.cn?s3cret", "http://a.cn?…"),
        ("http://a.cn/x#s3cret", "http://a.cn/x#…"),
        ("http://a.cn/x;jsession=s3cret", "http://a.cn/x;…"),
        ("seg/1.ts?s3cret", "seg/1.ts?…"),
        ("//me:s3cret@a.cn/x", "//…@a.cn/x"),
        ("rtmp://me:s3cret@a.cn/x", "rtmp://…@a.cn/x"),
        ("http://a.cn/x?one\ns3cret", "http://a.cn/x?…"),
        ("", ""),
    ],
)
def test_host_and_path_are_shown_and_nothing_else(url: str, seen: str) -> None:
    """Query, fragment, parameters, name and password are for the server alone."""
    assert shown(url) == seen


def test_an_address_without_end_is_cut() -> None:
    """A log line has an end."""
    assert len(shown("http://a.cn/" + "x" * 5000)) == SHOWN_CHARS_MAX


def test_addresses_in_the_words_of_others_are_cut_too() -> None:
    """A library may quote the address that it failed at."""
    said = "no luck with 'HTTP://me:s3cret@a.cn/x?s3cret' and http://b.cn/y?s3cret, sorry"
    assert without_secrets(said) == "no luck with 'HTTP://…@a.cn/x?…' and http://b.cn/y?… sorry"


def test_a_name_and_a_password_are_told_as_the_server_wants_them() -> None:
    """RFC 7617: percent-encoded in the address, as they are in the header."""
    assert login("http://Aladdin:open%20sesame@a.cn/x") == "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
    assert login("http://only@a.cn/") == "Basic b25seTo="
    assert login("http://a.cn/x?me:you@b") is None
