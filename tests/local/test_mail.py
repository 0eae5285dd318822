"""A tier-2 contract's mail in the engine's inbox, by the deployed functions with the rights of their roles."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from botocore.exceptions import ClientError

from grace.ledger import note
from grace.ledger.ed25519 import KeyVerifier, public_key
from grace.model.contract import ContractStatus
from grace.model.link import decode, message
from tests.local.deployed import SENDER, Deployed

LINK = re.compile(r"(https://\S+)/a/([A-Za-z0-9_-]{103})")


@pytest.mark.engine
def test_the_mail_of_a_tier_2_contract_arrives_with_a_link_that_is_proved(grace: Deployed) -> None:
    contract = grace.asks()
    letter = grace.letter(contract, "ana")
    assert (letter.sender, letter.to) == (SENDER, ("ana@shop.example",))
    [(base, token)] = set(LINK.findall(letter.text))
    assert set(LINK.findall(letter.html)) == {(base, token)}
    assert re.fullmatch(re.escape(grace.engine.endpoint) + r"/_aws/execute-api/\w+/\$default", base)
    link, mac = decode(token)
    approval = grace.approval(contract)
    assert link.contract_id == contract.contract_id
    assert grace.head(contract).status is ContractStatus.AWAITING_APPROVAL
    assert link.digest.hex() == approval.digest[:32]
    kms = grace.aws("kms")
    _verify(kms, message(link, 1), mac, approval.key_id)
    with pytest.raises(ClientError, match="KMSInvalidMac"):
        _verify(kms, message(link, 2), mac, approval.key_id)

    bounce = {"eventType": "Bounce", "mail": {"tags": {"contract": [contract.contract_id], "person": ["ana"]}}}
    event = json.dumps({"source": "aws.ses", "detail": bounce}).encode()
    told = json.loads(grace.aws("lambda").invoke(FunctionName="grace-ask", Payload=event)["Payload"].read())
    assert told == {"again": True}
    assert grace.approval(contract).unreached == ("ana",)


@pytest.mark.engine
def test_a_letter_carries_the_checkpoint_that_was_checked_last_so_that_a_mailbox_is_a_witness(grace: Deployed) -> None:
    grace.asks()
    for door in ("grace-integrate", "grace-audit"):
        answer = grace.aws("lambda").invoke(FunctionName=door, Payload=b"{}")
        assert "FunctionError" not in answer, answer["Payload"].read()
    spki = grace.aws("kms").get_public_key(KeyId=grace.outputs["LogKey"])["PublicKey"]
    key = KeyVerifier(public_key(grace.outputs["LogOrigin"], spki))

    letter = grace.letter(grace.asks(), "ana")

    carried = note.within(letter.text, key.name)
    size = note.verify(carried, [key], key.name).size
    kept = grace.aws("s3").get_object(Bucket=grace.outputs["LogBucket"], Key=f"checkpoints/{size}")["Body"].read()
    assert carried == kept


def _verify(kms: Any, text: bytes, mac: bytes, key: str) -> None:
    assert kms.verify_mac(KeyId=key, MacAlgorithm="HMAC_SHA_256", Message=text, Mac=mac)["MacValid"]
