"""A Grace deployed to the engine, whose approvers have mail and an issuer to sign in at; and contracts that ask them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from grace.flow.loading import ticket_for
from grace.model.approval import Approval
from grace.model.contract import Call, Contract, ContractHead, ContractStatus, Ticket
from grace.model.entry import Commit, EntryDraft, ref
from grace.model.ids import command_id, contract_id
from grace.model.preview import Preview
from grace.model.signin import Provider
from grace.stores.dynamo import DynamoStore
from infra.local.deploy import deploy
from infra.local.engine import EngineState
from infra.local.inbox import Letter, letters, page_address
from infra.local.reconcile import Clients
from tests.support import issuer as issuers
from tests.unit.flow.scenes import need, shop, until

SENDER = "grace@ops.example"
PEOPLE = [
    {"id": name, "name": called, "mail": f"{name}@shop.example", "subject": f"sub-{name}", "groups": ["approvers"]}
    for name, called in (("ana", "Ana Ruiz"), ("ben", "Ben Okoye"))
]


@dataclass
class Deployed:
    """What was deployed, and the drawers of it that a test may open."""

    engine: EngineState
    aws: Clients
    outputs: dict[str, str]
    issuer: issuers.TestIssuer
    store: DynamoStore
    asked: int = 0

    def asks(self, tier: Literal[2, 3] = 2) -> Contract:
        """Draft a contract as the flow does, and have the deployed `ask` write to its approvers."""
        world = shop(tier)
        execution = until(world, "Ask")
        drafted = need(world, Contract, execution.name)
        self.asked += 1
        name = contract_id(drafted.mission_id, drafted.playbook, 100 + self.asked)
        contract = drafted.model_copy(update={"version": 0, "contract_id": name})
        shown = need(world, Preview, execution.name).model_copy(update={"version": 0, "contract_id": name})
        now = datetime.now(UTC)
        head = world.head(execution.name).model_copy(
            update={
                "version": 0,
                "log": (),
                "contract_id": name,
                "digest": contract.digest(),
                "status": ContractStatus.DRAFTED,
                "updated_at": now,
                "deadline": now + timedelta(hours=1),
            }
        )
        self.store.commit(
            Commit(
                command=command_id(name, "drafted"),
                head=head,
                entries=(EntryDraft(type="contract.drafted"),),
                at=now - timedelta(seconds=1),
                actor="grace",
                subsystem="contract",
                items=(contract, shown),
            )
        )
        found = Ticket.model_validate(execution.document)
        self.steps("ask", contract, "ask", task_token="AQC8" * 20, preflight=found.preflight)
        return contract

    def steps(
        self, door: str, contract: Contract, step: str, *, refuses: str = "", task_token: str = "", **known: Any
    ) -> None:
        """Call a deployed door as the workflow does; `known` is what its ticket holds, `refuses` the error it ends in."""
        ticket = ticket_for(contract, needs_approval=True).model_copy(update=known)
        body = Call.model_validate({"ticket": ticket, "step": step, "task_token": task_token}).model_dump_json()
        answer = self.aws("lambda").invoke(FunctionName=f"grace-{door}", Payload=body.encode())
        said = json.loads(answer["Payload"].read())
        assert said.get("errorType", "") == refuses if refuses else "FunctionError" not in answer, said

    def head(self, contract: Contract) -> ContractHead:
        """The contract's head, as stored."""
        where = ref(ContractHead, contract.contract_id)
        return self.store.read(where).need(where)

    def setting(self, door: str, name: str) -> str:
        """What a deployed function is told under a name."""
        found = self.aws("lambda").get_function_configuration(FunctionName=f"grace-{door}")
        return str(found["Environment"]["Variables"][f"GRACE_{name.upper()}"])

    def approval(self, contract: Contract) -> Approval:
        """The approval that is asked for now, as stored."""
        where = ref(Approval, contract.contract_id, str(self.head(contract).generation))
        return self.store.read(where).need(where)

    def letter(self, contract: Contract, person: str) -> Letter:
        """The one letter about a contract in a person's box."""
        [mine] = [
            each
            for each in letters(self.engine)
            if f"{person}@shop.example" in each.to and contract.contract_id in each.text
        ]
        return mine

    def link(self, contract: Contract, person: str) -> str:
        """The link in that letter."""
        found = self.letter(contract, person).link
        assert found is not None
        return found


def deployed(engine: EngineState, root: Path, aws: Clients, folder: Path, issuer: issuers.TestIssuer) -> Deployed:
    """Deploy with people, mail and sign-in."""
    people = folder / "people.json"
    people.write_text(json.dumps(PEOPLE), encoding="utf-8")
    for address in (SENDER, *(each["mail"] for each in PEOPLE)):
        aws("ses").verify_email_identity(EmailAddress=address)
    context = {
        "people": str(people),
        # The playbook of the contracts that ask: in shadow nobody would be asked about them.
        "modes": json.dumps({"roll_back_lambda_alias": "approval"}),
        "mail": json.dumps({"sender": SENDER, "base_url": page_address(engine)}),
        "oidc": Provider(issuer=issuer.address, client_id=issuers.CLIENT).model_dump_json(),
    }
    done = deploy(engine, root=root, context=context)
    outputs = {key: value for stack in done.outputs.values() for key, value in stack.items()}
    return Deployed(engine, aws, outputs, issuer, DynamoStore(aws("dynamodb"), "grace-state", "grace-log", 16))


def now() -> int:
    """Return the time as an issuer tells it."""
    return int(time.time())
