"""A URL that must answer. Which hosts may be asked, and how, is the port's business (`ports.Fetch`)."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import Field

from grace.errors import InvalidPlaybook, Unavailable, Unobservable
from grace.model.address import listed, target_of
from grace.model.base import Model
from grace.model.expectation import HttpLine
from grace.model.records import Observation
from grace.model.wording import address
from grace.ports import Fetch
from grace.probes._calls import Calls
from grace.probes._lines import short
from grace.probes.base import Probe, PromiseContext, Seen
from grace.resources.base import Restorable


class _Http(Model):
    url: str = Field(min_length=8, max_length=1024)
    status: int = Field(default=200, ge=100, le=599)
    contains: str = Field(default="", max_length=256)
    times: int = Field(default=1, ge=1, le=20)


class HttpLineSpec(Model):
    """`url` is asked `times` times; each answer must have `status`, and `contains` in its first 64 KiB."""

    http: _Http
    must: bool = True


class HttpProbe(Probe[HttpLineSpec, HttpLine]):
    """Asks over the network, with no AWS authority."""

    spec: ClassVar[type[Model]] = HttpLineSpec

    def check(self, spec: HttpLineSpec, where: str, kind: Restorable[Any], plan: frozenset[str]) -> None:  # noqa: ARG002
        """Check that the address can be read in one way only; nothing is filled into it."""
        try:
            target_of(spec.http.url)
        except ValueError as exc:
            raise InvalidPlaybook(f"{where}.http.url: {exc}") from exc

    def compile(self, spec: HttpLineSpec, line_id: str, context: PromiseContext) -> HttpLine:  # noqa: ARG002
        """Return the line as written."""
        return HttpLine(id=line_id, must=spec.must, **spec.http.model_dump())

    def prove(self, line: HttpLine, context: PromiseContext, seen: Seen) -> None:  # noqa: ARG002
        """Refuse a URL whose host is not listed. It is not asked yet: silence is what an incident sounds like."""
        try:
            listed(line.url, context.http_hosts)
        except ValueError as exc:
            raise Unobservable(f"http {address(line.url)}: {exc}") from exc

    def observe(self, line: HttpLine, seen: Seen) -> Observation:
        """Ask until one answer breaks the promise or all have kept it, or the time for calls is over.

        Silence and garbage break it; an address that may not be asked, or that there was no time to ask, does not.
        """
        calls = Calls(lambda: _wrong(seen.reading.sources.fetch, line), line.times, seen.reading).make()
        return Observation(
            id=line.id,
            kind=line.kind,
            must=line.must,
            result=calls.result,
            predicate=f"{line.times} of {line.times} answers of {short(address(line.url))} are {_promise(line)}",
            expected=_promise(line),
            observed=short(
                f"{calls.kept} of {calls.made} answers as promised" + (f"; then {calls.wrong}" if calls.wrong else "")
            ),
            samples=calls.made,
            supporting=calls.kept,
            source=short(f"GET {address(line.url)}", 500),
            note=short(calls.note),
        )


def _promise(line: HttpLine) -> str:
    return f"status {line.status}" + (" with the promised text" if line.contains else "")


def _wrong(fetch: Fetch, line: HttpLine) -> str:
    """Ask once and return what is wrong with the answer, or nothing."""
    try:
        status, body = fetch.get(line.url)
    except Unavailable as exc:
        return str(exc)
    if status != line.status:
        return f"status {status}"
    if line.contains.encode() not in body:
        return f"status {status} without the promised text"
    return ""


MEMBER = HttpProbe
