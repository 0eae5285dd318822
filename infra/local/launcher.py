"""Starts MiniStack inside its own environment: with TLS, and with the corrections the deployed system needs.

Run by `engine.py` as `.venv-engine/bin/python -P -m infra.local.launcher <folder for TLS files>`.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from infra.local import corrections

CERTIFICATE, KEY, AUTHORITY = "server.crt", "server.key", "ca.crt"
_VALID = dt.timedelta(days=30)


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


def main(folder: Path) -> None:
    """Write the TLS files, correct the engine and serve until ended."""
    write_certificates(folder)
    # It brought us here; the workers must not find this repository on their path.
    os.environ.pop("PYTHONPATH", None)
    corrections.apply()
    # Imported here: the engine reads its settings while it is imported, and tests import this module without it.
    from ministack import app  # noqa: PLC0415

    sys.argv = ["ministack"]
    app.main()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
