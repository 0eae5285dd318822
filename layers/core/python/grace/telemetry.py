"""Structured logs and EMF metrics through Powertools, and what every door does around its one call."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from pydantic import ValidationError

from grace.errors import BadRequest, GraceError
from grace.model.metric import Metric

NAMESPACE = "Grace"
_NAMED = ("contract_id", "mission_id", "corr")
_ABOUT = (*_NAMED, "alarm", "group", "message", "playbook")
"""What a line may say it is about: ids and names, nothing else."""


class PowertoolsTelemetry:
    """`ports.Telemetry` of one function: its log lines and its part of the deployment's ten series."""

    def __init__(self, logger: Logger, metrics: Metrics) -> None:
        """Keep where lines and counts go."""
        self._logger = logger
        self._metrics = metrics

    def count(self, metric: Metric, value: int = 1) -> None:
        """Add to a metric of the namespace `Grace`; written with the invocation's other counts when it ends."""
        self._metrics.add_metric(name=metric.value, unit=MetricUnit.Count, value=value)

    def about(self, **ids: str) -> None:
        """Name what is worked on from here: these ids stand in every line until others are named, or none.

        Raises:
            ValueError: what is no id or name must not come into a line.
        """
        if strange := ids.keys() - set(_ABOUT):
            raise ValueError(f"a line is not about {', '.join(sorted(strange))}; it may be about {', '.join(_ABOUT)}")
        self._logger.remove_keys(_ABOUT)
        self._logger.append_keys(**{name: value for name, value in ids.items() if value})

    def done(self, what: str) -> None:
        """Log that one of several things is done, with its ids."""
        self._logger.info(what)

    def trouble(self, what: str, error: Exception, **facts: str) -> None:
        """Log an error that was met and dealt with: class and sentence, never a payload."""
        self._logger.warning(what, extra={"error": type(error).__name__, "why": str(error)[:500], **facts})


@functools.cache
def logger() -> Logger:
    """Return this function's logger; made at the first use."""
    return Logger()


@functools.cache
def metrics() -> Metrics:
    """Return this function's metrics. One service name for all functions, so that a metric is one series."""
    return Metrics(namespace=NAMESPACE, service="grace")


def telemetry() -> PowertoolsTelemetry:
    """Return the port over this function's logger and metrics."""
    return PowertoolsTelemetry(logger(), metrics())


def door(handler: Callable[[dict[str, Any], Any], Any]) -> Callable[[dict[str, Any], Any], Any]:
    """Wrap a door: name the contract, mission and correlation id in every line, count, and let errors through.

    Only ids and outcomes are logged: an event holds task tokens and other people's words. A payload that is not what
    the door takes becomes `BadRequest`, naming the field.
    """

    @functools.wraps(handler)
    def wrapped(event: dict[str, Any], context: Any) -> Any:
        log = logger()
        log.append_keys(**_ids(event), request=getattr(context, "aws_request_id", ""))
        try:
            answer = handler(event, context)
        except ValidationError as exc:
            where = ", ".join(".".join(map(str, e["loc"])) for e in exc.errors(include_input=False)[:5])
            log.warning("refused", extra={"error": "BadRequest", "why": f"wrong fields: {where}"})
            raise BadRequest(f"the event has wrong fields: {where}") from None
        except GraceError as exc:
            log.warning("ended", extra={"error": type(exc).__name__, "why": str(exc)[:500]})
            raise
        else:
            log.info("done", extra=_result(answer))
            return answer
        finally:
            log.remove_keys([*_ABOUT, "step", "request"])
            if metrics().metric_set:
                metrics().flush_metrics()

    return wrapped


def _ids(event: Mapping[str, Any]) -> dict[str, str]:
    ticket = event.get("ticket", event)
    found = {name: str(ticket[name]) for name in _NAMED if isinstance(ticket, Mapping) and name in ticket}
    return found | ({"step": str(event["step"])} if "step" in event else {})


def _result(answer: object) -> dict[str, str]:
    """Return the outcome, for the doors that have one: a verdict, what a request was answered with, a tree's size."""
    if not isinstance(answer, Mapping):
        return {}
    return {name: str(answer[name]) for name in ("verdict", "statusCode", "size") if answer.get(name)}
