"""Starts MiniStack inside its own environment, with the corrections the deployed system cannot do without.

Run by `engine.py` as `.venv-engine/bin/python -P launcher.py <folder for TLS files>`; imports nothing of this
repository. Each correction names the engine version it was seen in and ends the start with one sentence when the
engine's code no longer looks as it did then, so that none outlives its reason unseen.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import re
import sys
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CERTIFICATE, KEY, AUTHORITY = "server.crt", "server.key", "ca.crt"
_VALID = dt.timedelta(days=30)
_TYPE_MARK = re.compile(r"\[errorType=(\w+)\](.*)", re.DOTALL)


def write_certificates(folder: Path) -> None:
    """Write a throw-away authority and a certificate for 127.0.0.1 and localhost, valid 30 days.

    The engine must speak TLS: bucket, queue and topic policies deny requests without it (`aws:SecureTransport`),
    the engine enforces those policies, and a template without them would not be the template that goes to AWS.
    Python 3.13 verifies strictly, hence an authority with the key identifiers rather than one self-signed leaf.
    """
    folder.mkdir(parents=True, exist_ok=True)
    now = dt.datetime.now(dt.UTC)
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "embedded engine authority")])
    server_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "embedded engine")])
    authority_identifier = x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key())

    def builder(subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(authority_name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + _VALID)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        )

    def usage(*, signs_certificates: bool) -> x509.KeyUsage:
        return x509.KeyUsage(
            digital_signature=not signs_certificates,
            key_cert_sign=signs_certificates,
            crl_sign=signs_certificates,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )

    authority = (
        builder(authority_name, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage(signs_certificates=True), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    names: list[x509.GeneralName] = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    server = (
        builder(server_name, server_key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(authority_identifier), critical=False
        )
        .sign(authority_key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    secret = server_key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    descriptor = os.open(folder / KEY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
    (folder / CERTIFICATE).write_bytes(server.public_bytes(pem))
    (folder / AUTHORITY).write_bytes(authority.public_bytes(pem))


def with_error_types(worker_script: str) -> str:
    """The engine's Python worker, changed to say the class of an unhandled exception.

    AWS answers `errorType` with the exception's class name, which is what a state machine's Retry and Catch match;
    ministack 1.5.33 answers `Runtime.HandlerError` for every exception. The class travels at the head of the message.
    """
    plain = '"error": str(e), "trace": traceback.format_exc()'
    if worker_script.count(plain) != 1:
        raise SystemExit("This engine version runs functions in another way: see `with_error_types` in launcher.py.")
    return worker_script.replace(plain, plain.replace("str(e)", 'f"[errorType={type(e).__name__}]{e}"'))


def restore_error_type(result: dict[str, Any]) -> dict[str, Any]:
    """An invocation's result with the class name moved from the message's head to `errorType`."""
    body = result.get("body")
    if result.get("error") and isinstance(body, dict):
        marked = _TYPE_MARK.fullmatch(str(body.get("errorMessage", "")))
        if marked:
            body |= {"errorType": marked[1], "errorMessage": marked[2]}
    return result


def main(folder: Path) -> None:
    """Write the TLS files, apply the corrections and serve until ended."""
    write_certificates(folder)
    # Imported here: the engine reads its settings while it is imported, and tests import this module without it.
    from ministack import app  # noqa: PLC0415
    from ministack.core import lambda_runtime  # noqa: PLC0415
    from ministack.services import lambda_svc  # noqa: PLC0415

    # With TLS on, the engine would also take port 443 wherever it may: it gets the one port it was given.
    vars(app)["_port_is_bindable"] = lambda *_: False
    script, execute = vars(lambda_runtime)["_PYTHON_WORKER_SCRIPT"], vars(lambda_svc)["_execute_function_warm"]
    vars(lambda_runtime)["_PYTHON_WORKER_SCRIPT"] = with_error_types(script)
    vars(lambda_svc)["_execute_function_warm"] = lambda *args: restore_error_type(execute(*args))
    sys.argv = ["ministack"]
    app.main()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
