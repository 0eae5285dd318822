"""Which playbooks fit a diagnosis, best first. Reads the catalogue alone: no YAML at run time."""

from __future__ import annotations

from collections.abc import Iterator

from grace.model.catalogue import Catalogue, CataloguedPlaybook
from grace.model.diagnosis import DiagnosisCode
from grace.model.signal import Signal
from grace.patterns import matches


def candidates(catalogue: Catalogue, code: DiagnosisCode, signal: Signal) -> Iterator[CataloguedPlaybook]:
    """Yield the playbooks for a diagnosis whose `when` the signal matches: highest priority first, then by name."""
    document = signal.model_dump(mode="json")
    fitting = (playbook for playbook in catalogue.playbooks if code in playbook.spec.diagnoses)
    for playbook in sorted(fitting, key=lambda playbook: (-playbook.spec.priority, playbook.spec.name)):
        if playbook.spec.when is None or matches(playbook.spec.when, document):
            yield playbook
