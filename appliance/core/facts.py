"""Facts for programs: what a value says, as plain JSON with stable keys, units in the names and RFC 3339 moments."""

from typing import Any

import msgspec

from appliance.core.moment import to_text


def as_facts(value: Any) -> Any:
    """Structs become objects; a moment `since_us` becomes `since`, `started_at_us` becomes `started_at`, as a text."""
    if isinstance(value, msgspec.Struct):
        return dict(_field(name, each) for name, each in msgspec.structs.asdict(value).items())
    if isinstance(value, dict):
        return dict(_field(name, each) for name, each in value.items())
    if isinstance(value, list | tuple | frozenset):
        return [as_facts(each) for each in value]
    return value


def _field(name: str, value: Any) -> tuple[str, Any]:
    if name.endswith("_us") and (value is None or isinstance(value, int)):
        return name.removesuffix("_us"), None if value is None else to_text(value)
    return name, as_facts(value)
