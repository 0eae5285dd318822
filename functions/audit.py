"""Woken every quarter of an hour: checks the log, and once a day all of it."""

from typing import Any

from grace.starting import staying

with staying():
    from grace.bootstrap import services
    from grace.flow.audit import audit
    from grace.telemetry import door


@door
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Check what is new, or everything with `full`; answer with what was looked at."""
    prefix = context.function_name.removesuffix("-audit")
    result = audit(services(), prefix=prefix, full=bool(event.get("full")))
    return result.model_dump(mode="json", exclude={"issues"})
