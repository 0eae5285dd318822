"""A tier-2 contract's mail in the engine's inbox, by the deployed functions with the rights of their roles."""

from __future__ import annotations

import json
import re
import ssl
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError

from grace.model.approval import Approval
from grace.model.contract import Call, Contract, ContractHead, ContractStatus
from grace.model.entry import Commit, EntryDraft, ref
from grace.model.ids import command_id
from grace.model.link import decode, message
from grace.stores.dynamo import DynamoStore
from infra.local.deploy import deploy
from infra.local.engine import EngineState
from infra.local.reconcile import Clients
from tests.unit.flow.scenes import need, shop, until

SENDER = "grace@ops.example"
LINK = re.compile(r"(https://\S+)/a/([A-Za-z0-9_-]{103})")
PEOPLE = [
    {"id": "ana", "name": "Ana Ruiz", "mail": "ana@shop.example", "groups": ["approvers"]},
    {"id": "ben", "name": "Ben Okoye", "groups": ["approvers"]},
]


@pytest.mark.engine
def test_the_mail_of_a_tier_2_contract_arrives_with_a_link_that_is_proved(
    engine: EngineState, engine_root: Any, aws: Clients, tmp_path: Any
) -> None:
    people = tmp_path / "people.json"
    people.write_text(json.dumps(PEOPLE))
    for address in (SENDER, "ana@shop.example"):
        aws("ses").verify_email_identity(EmailAddress=address)
    where = f"{engine.endpoint}/_aws/execute-api/{{api}}/$default"
    mail = json.dumps({"sender": SENDER, "base_url": where})
    deploy(engine, root=engine_root, context={"people": str(people), "mail": mail})

    world = shop(2)
    execution = until(world, "Ask")
    body = need(world, Contract, execution.name)
    now = datetime.now(UTC)
    head = world.head(execution.name).model_copy(
        update={"version": 0, "log": (), "status": ContractStatus.DRAFTED, "updated_at": now}
    )
    store = DynamoStore(aws("dynamodb"), "grace-state", "grace-log", 16)
    store.commit(
        Commit(
            command=command_id(head.contract_id, "drafted"),
            head=head,
            entries=(EntryDraft(type="contract.drafted"),),
            at=now - timedelta(seconds=1),
            actor="grace",
            subsystem="contract",
            items=(body.model_copy(update={"version": 0}),),
        )
    )
    call = Call.model_validate({"ticket": execution.document, "step": "ask", "task_token": "AQC8" * 20})
    answer = aws("lambda").invoke(FunctionName="grace-ask", Payload=call.model_dump_json().encode())
    assert "FunctionError" not in answer, answer["Payload"].read()

    [letter] = [one for one in _inbox(engine) if one["Source"] == SENDER and head.contract_id in one["BodyText"]]
    assert letter["To"] == ["ana@shop.example"]
    [(base, token)] = set(LINK.findall(letter["BodyText"]))
    assert set(LINK.findall(letter["BodyHtml"])) == {(base, token)}
    assert re.fullmatch(re.escape(engine.endpoint) + r"/_aws/execute-api/\w+/\$default", base)
    link, mac = decode(token)
    approval_ref = ref(Approval, head.contract_id, "1")
    approval = store.read(approval_ref).need(approval_ref)
    asked_ref = ref(ContractHead, link.contract_id)
    assert store.read(asked_ref).need(asked_ref).status is ContractStatus.AWAITING_APPROVAL
    assert link.digest.hex() == approval.digest[:32]
    _verify(aws("kms"), message(link, 1), mac, approval.key_id)
    with pytest.raises(ClientError, match="KMSInvalidMac"):
        _verify(aws("kms"), message(link, 2), mac, approval.key_id)

    note = {"eventType": "Bounce", "mail": {"tags": {"contract": [head.contract_id], "person": ["ana"]}}}
    event = json.dumps({"source": "aws.ses", "detail": note}).encode()
    told = json.loads(aws("lambda").invoke(FunctionName="grace-ask", Payload=event)["Payload"].read())
    assert told == {"again": True}
    assert store.read(approval_ref).need(approval_ref).unreached == ("ana",)


def _verify(kms: Any, text: bytes, mac: bytes, key: str) -> None:
    assert kms.verify_mac(KeyId=key, MacAlgorithm="HMAC_SHA_256", Message=text, Mac=mac)["MacValid"]


def _inbox(engine: EngineState) -> list[dict[str, Any]]:
    context = ssl.create_default_context(cafile=engine.ca_bundle)
    with urlopen(f"{engine.endpoint}/_ministack/ses/messages", context=context) as answer:
        found = json.loads(answer.read())["messages"]
    return [one for each in (found.values() if isinstance(found, dict) else [found]) for one in each]
