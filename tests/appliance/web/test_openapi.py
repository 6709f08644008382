"""What the API says of itself is what it does: every operation, asked with what is allowed and with what is not."""

from collections import Counter

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.schemas import APIOperation

from appliance import spool
from appliance.web.app import create_app
from tests.appliance.web.county import PICTURE, County

EXAMPLES = 40
OPERATIONS = {
    ("GET", "/api/v1/items"),
    ("GET", "/api/v1/items/{item_id}"),
    ("GET", "/api/v1/channels"),
    ("GET", "/api/v1/channels/{channel_id}/epg"),
    ("POST", "/api/v1/tips"),
}


def test_every_operation_is_described(client: FlaskClient) -> None:
    """What is not in the description cannot be checked against it."""
    document = client.get("/api/v1/openapi.json").json
    assert document is not None
    assert {(verb.upper(), path) for path, verbs in document["paths"].items() for verb in verbs} == OPERATIONS
    rules = {str(rule) for rule in client.application.url_map.iter_rules()}
    assert {rule for rule in rules if rule.startswith("/api/")} == {
        path.replace("{", "<").replace("}", ">") for _, path in OPERATIONS
    } | {"/api/v1/openapi.json"}


@pytest.mark.timeout(120)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_answers_are_as_described_whatever_is_asked(county: County, mode: GenerationMode) -> None:
    """An app written from the description alone must never be surprised; what it forbids must be refused."""
    picture = county.bring(PICTURE, "a.jpg", "image/jpeg", "picture")
    county.publish("story-1", assets=(picture,), body_html="<p>正文</p>")
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", create_app(county.config))
    statuses: Counter[int] = Counter()
    for result in schema.get_all_operations():
        try:
            ask(result.ok(), mode, statuses)
        except Unsatisfiable:
            # Where nothing can be sent there is nothing wrong to send.
            assert mode == GenerationMode.NEGATIVE
    assert sum(statuses.values()) > EXAMPLES
    assert statuses[400 if mode == GenerationMode.NEGATIVE else 200] > EXAMPLES / 4
    for name in spool.pending(county.config):
        spool.read(county.config, name)


def ask(operation: APIOperation, mode: GenerationMode, statuses: Counter[int]) -> None:
    """Ask one operation EXAMPLES times and hold each answer to the description."""

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    def asked(case: schemathesis.Case) -> None:
        statuses[case.call_and_validate().status_code] += 1

    asked()
