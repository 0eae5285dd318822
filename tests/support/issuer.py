"""A small OpenID Connect issuer on loopback: discovery, an authorization that signs in at once, tokens, keys."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

CLIENT = "grace"


class TestIssuer:
    """Whoever asks is `subject`, with the claims in `claims` beside or in place of the usual ones."""

    __test__ = False

    def __init__(self, address: str, now: Callable[[], int]) -> None:
        self.address = address
        self.now = now
        self.subject = "sub-ada"
        self.claims: dict[str, Any] = {}
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.algorithm: str = "ES256"
        self.signs_with: Any = self.key
        self.discovered: dict[str, Any] = {}
        self.codes: dict[str, dict[str, str]] = {}

    def metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.address,
            "authorization_endpoint": f"{self.address}/authorize",
            "token_endpoint": f"{self.address}/token",
            "jwks_uri": f"{self.address}/keys",
        } | self.discovered

    def keys(self) -> dict[str, Any]:
        listed = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [listed | {"kid": "k1", "use": "sig", "alg": "ES256"}]}

    def authorize(self, asked: dict[str, str]) -> str:
        """Return where the browser is sent back to."""
        assert (asked["response_type"], asked["code_challenge_method"], asked["client_id"]) == ("code", "S256", CLIENT)
        code = f"code-{len(self.codes)}"
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, form: dict[str, str]) -> dict[str, Any] | None:
        """Return the answer to a code, once, to whoever has the verifier."""
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if asked is None or base64.urlsafe_b64encode(digest).decode().rstrip("=") != asked["code_challenge"]:
            return None
        now = self.now()
        claims = {
            "iss": self.address,
            "aud": CLIENT,
            "sub": self.subject,
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "auth_time": now - 5,
            "amr": ["pwd", "otp"],
        } | self.claims
        kept = {name: value for name, value in claims.items() if value is not None}
        signed = jwt.encode(kept, self.signs_with, algorithm=self.algorithm, headers={"kid": "k1"})
        return {"id_token": signed, "access_token": "x", "token_type": "Bearer"}


@contextmanager
def serving(now: Callable[[], int]) -> Iterator[TestIssuer]:
    """Serve an issuer on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            if parts.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", issuer.authorize({k: v[0] for k, v in parse_qs(parts.query).items()}))
                self.end_headers()
                return
            known = {"/.well-known/openid-configuration": issuer.metadata, "/keys": issuer.keys}
            self._json(known[parts.path]() if parts.path in known else None)

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._json(issuer.token({k: v[0] for k, v in parse_qs(raw).items()}))

        def _json(self, document: dict[str, Any] | None) -> None:
            body = json.dumps(document or {"error": "invalid_grant"}).encode()
            self.send_response(200 if document else 400)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer = TestIssuer(f"http://127.0.0.1:{server.server_port}", now)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
