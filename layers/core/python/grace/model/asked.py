"""What one approver is asked, as it stands in the mail: words only, already made fit to be shown."""

from pydantic import Field

from grace.model.base import Model


class Asked(Model):
    """One request to one person. `checkpoint` is the log's newest, or nothing; `again` says why this is not the first."""

    person: str
    link: str = Field(repr=False)
    again: str = ""
    contract: str
    digest: str
    tier: int
    need: int
    playbook: str
    target: str
    arn: str
    owner: str
    reason: str
    action: str
    values: tuple[tuple[str, str], ...]
    promises: tuple[str, ...]
    undo: str
    cost: str
    expires: str
    minutes: int
    others: tuple[str, ...]
    checkpoint: str = ""
