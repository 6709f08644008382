"""The config says all that is wrong at once, and reads back what it wrote."""

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config import ChannelConfig, Config, HubAddress, Limits, config_path, load, render
from appliance.core.errors import OperatorError
from tests.appliance.boxes import HUB, box

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=80)
CONFIGS = st.builds(
    Config,
    home=st.just(Path("/x")),
    run=st.just(Path("/x/run")),
    site=st.from_regex(r"[b-g][a-z0-9-]{1,31}", fullmatch=True),
    name=NAMES,
    zone=st.sampled_from(("Asia/Shanghai", "UTC", "Asia/Urumqi")),
    hub=st.one_of(
        st.none(),
        st.builds(
            HubAddress,
            id=st.just("songshan"),
            host=st.from_regex(r"[a-z][a-z0-9.-]{0,30}", fullmatch=True),
            port=st.integers(1, 65535),
            user=st.from_regex(r"[a-z_][a-z0-9_-]{0,31}", fullmatch=True),
            host_keys=st.lists(st.just(HUB.host_keys[0]), min_size=1, max_size=3).map(tuple),
            sign_key=st.just(HUB.sign_key),
        ),
    ),
    channels=st.lists(
        st.builds(
            ChannelConfig,
            id=st.from_regex(r"[a-z][a-z0-9-]{1,63}", fullmatch=True),
            name=NAMES,
            udp=st.sampled_from(("", "239.0.0.1:5000", "127.0.0.1:65535")),
            udp_bits_per_s=st.integers(3_500_000, 60_000_000),
            udp_from=st.sampled_from(("", "192.168.10.2")),
        ),
        max_size=3,
        unique_by=lambda channel: channel.id,
    ).map(tuple),
    web_bind=st.sampled_from(("127.0.0.1:8080", "[::1]:80", "0.0.0.0:65535")),
    limits=st.builds(
        Limits,
        reserve_bytes=st.integers(0, 2**40),
        drop_settled_s=st.floats(0.1, 3600),
        verify_days=st.integers(1, 366),
        cache_bytes_max=st.integers(0, 2**40),
    ),
)


def written(home: Path, text: str) -> Path:
    (home / "appliance.toml").write_text(text)
    return home


def problems(home: Path, text: str) -> list[str]:
    with pytest.raises(OperatorError) as caught:
        load(written(home, text), {})
    assert all(problem.zh for problem in caught.value.problems)
    assert str(home) in caught.value.hint.en if caught.value.hint else True
    return [problem.en for problem in caught.value.problems]


@given(config=CONFIGS)
def test_what_was_rendered_is_read_back(config: Config, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`join` writes the file that the agent reads: no name, key or limit may change on the way."""
    home = written(tmp_path_factory.mktemp("home"), render(config))
    assert load(home, {}) == dataclasses.replace(config, home=home, run=home / "run")


def test_every_problem_is_told_at_once(tmp_path: Path) -> None:
    """A technician over a poor line corrects a file once, not once per mistake."""
    text = """
site = "all"
zone = "Mars/Olympus"
colour = 1
[web]
bind = "8080"
[hub]
id = "songshan"
host = "-oProxyCommand=sh"
port = 0
user = "Root!"
host_keys = []
sign_key = "x"
[limits]
reserve_bytes = -1
verify_days = "often"
speed = 3
[[channels]]
id = "Dengfeng 1"
name = "a"
[[channels]]
id = "dengfeng-2"
[[channels]]
id = "dengfeng-2"
name = "b"
"""
    found = problems(tmp_path, text)
    for word in (
        "site", "name is missing", "zone", "option colour", "web.bind", "bad hub.host:", "hub.port", "hub.user",
        "hub.host_keys", "hub.sign_key", "reserve_bytes", "verify_days", "limits.speed", "channels[1].id",
        "channels[2].name", "dengfeng-2 is there twice",
    ):  # fmt: skip
        assert any(word in problem for problem in found), word
    assert len(found) == 16


@pytest.mark.parametrize(
    "text", ["", "site = ", "\x00", "hub = 1\nweb = 1\nlimits = 1\nchannels = 1", "[[hub]]", "channels = [1]"]
)
def test_a_file_of_any_shape_is_refused_with_words(tmp_path: Path, text: str) -> None:
    """A file broken by a power cut or an editor must lead to a sentence, never to a traceback."""
    assert problems(tmp_path, text)


def test_a_file_that_is_no_text_or_too_large_is_refused(tmp_path: Path) -> None:
    """Whatever lies there is read up to a bound and told."""
    (tmp_path / "appliance.toml").write_bytes(b"\xff\xfe" * 10)
    with pytest.raises(OperatorError, match="not TOML"):
        load(tmp_path, {})
    (tmp_path / "appliance.toml").write_bytes(b"#" * 300_000)
    with pytest.raises(OperatorError, match="more than"):
        load(tmp_path, {})


def test_a_box_that_never_joined_is_told_to(tmp_path: Path) -> None:
    """The first command on a new machine must say what the first step is."""
    with pytest.raises(OperatorError) as caught:
        load(tmp_path, {})
    assert caught.value.exit_status == 2
    assert caught.value.hint is not None
    assert "songshan join" in caught.value.hint.en


def test_the_secret_half_of_a_key_is_never_shown(tmp_path: Path) -> None:
    """What a person pastes into the wrong line must not end up in a log or a bundle."""
    text = render(box(tmp_path)).replace(HUB.sign_key, "SECRET-SECRET")
    assert not any("SECRET" in problem for problem in problems(tmp_path, text))


def test_home_comes_from_the_option_then_the_environment_then_the_installed_paths(tmp_path: Path) -> None:
    """One box per folder in a trial, one per machine in a county."""
    written(tmp_path, render(box(tmp_path)))
    assert load(None, {"SONGSHAN_HOME": str(tmp_path)}).home == tmp_path
    assert load(tmp_path, {"SONGSHAN_HOME": "/elsewhere"}).home == tmp_path
    assert config_path(None) == Path("/etc/songshan/appliance.toml")


def test_every_option_is_in_the_formats_document() -> None:
    """An option that is not written down does not exist for the technician."""
    text = (Path(__file__).parents[2] / "docs/formats.md").read_text()
    names = [field.name for field in (*dataclasses.fields(Limits), *dataclasses.fields(HubAddress))]
    assert [name for name in names if f"`{name}`" not in text] == []


def test_an_output_that_could_not_be_sent_is_refused(tmp_path: Path) -> None:
    """A name that is looked up, or a rate below the house format's peak, would be found out on the air."""
    told = problems(
        tmp_path,
        """
site = "dengfeng"
name = "登封"
[[channels]]
id = "dengfeng-1"
name = "登封综合"
udp = "modulator:5000"
udp_copy = "127.0.0.1:0"
udp_from = "eth1"
udp_bits_per_s = 2000000
udp_ttl = 0
""",
    )
    for option in ("udp: 'modulator:5000'", "udp_copy: ", "udp_from: ", "udp_bits_per_s must be", "udp_ttl must be"):
        assert any(f"channels[1].{option}" in line for line in told), (option, told)
