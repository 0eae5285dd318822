"""What a deployment knows: playbooks, rules, people and modes, linted and bundled at synth as one data file."""

from pydantic import Field

from grace.model.approval import Directory
from grace.model.base import Model
from grace.model.contract import Mode
from grace.model.diagnosis import Rule
from grace.model.playbook import PlaybookSpec
from grace.model.policy import Calendar, PolicySource


class CataloguedPlaybook(Model):
    """A playbook with the SHA-256 of its canonical form, which every contract drafted from it pins."""

    spec: PlaybookSpec
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")


class Catalogue(Model):
    """The data of one deployment. A playbook without a line in `modes` is in `shadow`.

    `approvers` is the group that is asked; `approvers_for` names another for a playbook, or for a tier (`"2"`, `"3"`).
    `operators` is the group whose orders are carried out. `escalation` are groups and rotas that are asked as well when
    time runs out, one more at each step; `http_hosts` are the only hosts an `http` expectation may name; `group_window` and `global_in_flight` are seconds and contracts.
    """

    playbooks: tuple[CataloguedPlaybook, ...]
    rules: tuple[Rule, ...]
    directory: Directory = Field(default_factory=Directory)
    modes: dict[str, Mode] = Field(default_factory=dict)
    lifted: dict[str, str] = Field(default_factory=dict)
    """Per playbook, the id of the demotion that this configuration ends."""
    approvers: str = "approvers"
    approvers_for: dict[str, str] = Field(default_factory=dict)
    escalation: tuple[str, ...] = ()
    operators: str = "operators"
    http_hosts: tuple[str, ...] = ()
    group_window: int = Field(default=300, ge=10, le=3600)
    global_in_flight: int = Field(default=10, ge=1, le=500)
    policy: PolicySource = Field(default_factory=PolicySource)
    calendar: Calendar = Field(default_factory=Calendar)
    approval_seconds: dict[int, int] = Field(default_factory=lambda: {2: 1800, 3: 3600})

    def group_for(self, playbook: str, tier: int) -> str:
        """Return the group that decides: the playbook's own, else the tier's, else the usual one."""
        return self.approvers_for.get(playbook) or self.approvers_for.get(str(tier)) or self.approvers

    def mode(self, playbook: str) -> Mode:
        """Return the playbook's mode; what nobody configured is in shadow."""
        return self.modes.get(playbook, Mode.SHADOW)
