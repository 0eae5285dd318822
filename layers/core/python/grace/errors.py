"""Every error the house raises on purpose. The state machine routes on these class names.

`TransientError`: nothing happened, or repeating is safe: try again. `AnswerLost`: it may have happened: look before
trying again. `PermanentError`: trying again will not help.
"""

from __future__ import annotations


class GraceError(Exception):
    """The base of all. The message is one sentence for a person."""


class TransientError(GraceError):
    """Nothing happened, or doing it twice is safe; the caller repeats with jitter, inside its own timeout."""


class Throttled(TransientError):
    """The service asks us to slow down."""


class Unavailable(TransientError):
    """The service could not answer and did nothing."""


class Conflict(TransientError):
    """Somebody else wrote first; the caller reads again and decides anew."""


class Busy(TransientError):
    """The resource's lease is held by another contract."""


class AnswerLost(GraceError):
    """The call may have taken effect and its answer was lost; the caller observes before doing anything else."""


class PermanentError(GraceError):
    """Repeating will not help."""


class NotFound(PermanentError):
    """The thing named does not exist."""


class AccessDenied(PermanentError):
    """Our role may not do this."""


class BadRequest(PermanentError):
    """The service refused the request as it stands."""


class Mismatch(PermanentError):
    """A compare-and-set found another revision: somebody else changed the resource."""


class InvalidSignal(PermanentError):
    """A message is not an alert we can read. `field` names what is wrong with it."""

    def __init__(self, field: str, fix: str) -> None:
        """Keep the field's name and what would make it right."""
        super().__init__(f"{field}: {fix}")
        self.field = field
        self.fix = fix


class InvalidPlaybook(PermanentError):
    """A playbook, rule or people file is wrong; the message names file, key and fix."""


class PolicyUnreadable(PermanentError):
    """The policies could not be read or asked: nothing is allowed."""


class InvalidSetting(PermanentError):
    """A setting is missing or wrong; the message names it."""


class Refused(PermanentError):
    """A gate, a limit or a precondition said no. `code` is the short name counted in metrics."""

    def __init__(self, code: str, reason: str) -> None:
        """Keep the short code beside the sentence."""
        super().__init__(reason)
        self.code = code


class Unobservable(Refused):
    """An expectation names nothing that can be observed: the contract may not be opened."""

    def __init__(self, reason: str) -> None:
        """The code is always `unobservable`."""
        super().__init__("unobservable", reason)


class ThirdPartyChange(PermanentError):
    """Somebody else changed the resource after the snapshot; their work is never overwritten."""


class IntegrityError(PermanentError):
    """Bytes differ from their digest, or a stored shape is not one we read. Nothing is done with them."""


class StaleFence(PermanentError):
    """The lease was taken over by a later holder; this one may not act any more."""


class IllegalTransition(PermanentError):
    """A status may not become that other status."""


class InvalidCommit(PermanentError):
    """A change cannot be written as it stands: an entry too large or too deep, a float in it, a head without its past."""
