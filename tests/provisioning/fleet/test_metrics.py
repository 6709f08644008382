"""The figures, read by Prometheus's own parser."""

from prometheus_client.parser import text_string_to_metric_families

from provisioning.fleet.core.hub import Watching
from provisioning.fleet.core.letters import Book, WayOut
from provisioning.fleet.gather import gather
from provisioning.fleet.metrics import figures
from provisioning.hub.journals import HubJournals
from tests.provisioning.fleet.counties import AT_US, GIB, NAMES, Counties

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(text: bytes) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            key = (sample.name, tuple(sorted(sample.labels.items())))
            assert key not in found, f"told twice: {key}"
            found[key] = sample.value
    return found


def test_each_site_and_the_hub_are_told(sixteen: Counties) -> None:
    """What rules are written on: up, ages, alarms, entries, bytes, offsets."""
    book = Book(ways=(WayOut(way="mail", failing_since_us=AT_US - 90_000_000, sent=7, lost=1),))
    found = samples(figures(gather(sixteen.folder, Watching()), book))

    def of(name: str, **labels: str) -> float:
        return found[name, tuple(sorted(labels.items()))]

    assert (of("songshan_site_up", site="zhongmu"), of("songshan_site_up", site="huiji")) == (1, 0)
    assert of("songshan_site_status_age_seconds", site="huiji") == 1200
    assert of("songshan_site_alarms", site="dengfeng", severity="red") == 1
    assert of("songshan_site_not_ready_entries", site="dengfeng") == 3
    assert of("songshan_site_disk_free_bytes", site="zhongmu") == 512 * GIB
    assert of("songshan_site_clock_offset_seconds", site="xinmi") == -2.4
    assert of("songshan_fleet_generated_timestamp_seconds") == AT_US / 1_000_000
    assert of("songshan_hub_sessions") == 11
    assert of("songshan_hub_letters_sent_total", way="mail") == 7
    assert of("songshan_hub_letters_failing_seconds", way="mail") == 90
    named = {dict(labels)["site"]: dict(labels) for name, labels in found if name == "songshan_site_info"}
    assert set(named) == set(NAMES)
    assert (named["gongyi"]["version"], named["gongyi"]["upgrade"]) == ("0.4.1", "rolled_back")


def test_what_a_box_never_said_has_no_figure(sixteen: Counties) -> None:
    """0 bytes free would wake somebody."""
    found = samples(figures(gather(sixteen.folder, Watching()), Book()))
    told = {dict(labels).get("site") for name, labels in found if name == "songshan_site_disk_free_bytes"}
    assert "hangkonggang" not in told and "zhongmu" in told


def test_names_have_their_unit_last(sixteen: Counties) -> None:
    """Prometheus's custom, by which people guess names."""
    found = samples(figures(gather(sixteen.folder, Watching()), Book()))
    for name, _labels in found:
        assert name.startswith("songshan_")
        assert not any(f"_{unit}_" in name for unit in ("bytes_used", "ms", "us", "percent")), name
        assert not name.endswith(("_ms", "_us", "_s")), name


def test_heads_of_the_journals_are_told(sixteen: Counties) -> None:
    """A stream that stands still while others go on is a hub that does not write."""
    from appliance.core import records
    from provisioning import identity

    sixteen.folder.sign_key.parent.mkdir(exist_ok=True)
    identity.make_key_files(sixteen.folder.sign_key, "hub-sign")
    for number in range(3):
        HubJournals(sixteen.folder).append(
            "zhongmu/control", "order", f"o{number}", records.Order(f"o{number}", "test")
        )
    fleet = gather(sixteen.folder, Watching())
    found = samples(figures(fleet, Book()))
    assert found["songshan_hub_journal_head", (("stream", "zhongmu/control"),)] == 3
    assert found["songshan_site_waiting_records", (("site", "zhongmu"),)] == 3
    assert found["songshan_hub_waiting_records", ()] == 3
