"""A real OpenID Connect provider on loopback: discovery, authorization code with PKCE, RS256 tokens, userinfo."""

import base64
import hashlib
import json
import secrets
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "regente", "client-secret"


@dataclass
class Provider:
    """`claims` are those of whoever comes next; `denies`: they say no."""

    claims: dict[str, Any] = field(default_factory=dict)
    denies: bool = False
    codes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                url = urlsplit(self.path)
                provider.get(self, url.path, {name: values[0] for name, values in parse_qs(url.query).items()})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                provider.token(self, {name: values[0] for name, values in parse_qs(body).items()})

            def log_message(self, *_: object) -> None:
                """Keep the tests' output clean."""

        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def get(self, handler: BaseHTTPRequestHandler, path: str, query: dict[str, str]) -> None:
        """Discovery, keys, the user's word, the user's claims."""
        if path == "/.well-known/openid-configuration":
            told = {"issuer": self.url, "response_types_supported": ["code"], "subject_types_supported": ["public"]}
            told |= {"authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token"}
            told |= {"jwks_uri": f"{self.url}/jwks", "userinfo_endpoint": f"{self.url}/userinfo"}
            send(handler, told | {"id_token_signing_alg_values_supported": ["RS256"]})
        elif path == "/jwks":
            key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
            send(handler, {"keys": [key | {"kid": "1", "use": "sig", "alg": "RS256"}]})
        elif path == "/authorize":
            assert query["client_id"] == CLIENT and query["code_challenge_method"] == "S256"
            code = secrets.token_hex(8)
            self.codes[code] = query | {"claims": dict(self.claims)}
            answer = {"error": "access_denied"} if self.denies else {"code": code}
            send(handler, {}, 302, f"{query['redirect_uri']}?{urlencode(answer | {'state': query['state']})}")
        else:
            send(handler, self.claims)

    def token(self, handler: BaseHTTPRequestHandler, given: dict[str, str]) -> None:
        """An id token for a code, if the caller is the one who had asked for it."""
        asked = self.codes.pop(given["code"])
        digest = hashlib.sha256(given["code_verifier"].encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        known = given.get("client_secret") == SECRET or handler.headers.get("authorization") == f"Basic {basic}"
        if proof != asked["code_challenge"] or not known:
            return send(handler, {"error": "invalid_grant"}, 400)
        now = int(time.time())
        claims = asked["claims"] | {"iss": self.url, "aud": CLIENT, "iat": now, "exp": now + 60}
        claims |= {"nonce": asked["nonce"]} if "nonce" in asked else {}
        token = jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "1"})
        return send(handler, {"access_token": "a", "token_type": "Bearer", "id_token": token, "expires_in": 60})


def send(handler: BaseHTTPRequestHandler, body: Any, status: int = 200, location: str = "") -> None:
    """Answer with JSON, or lead elsewhere."""
    text = json.dumps(body).encode()
    handler.send_response(status)
    if location:
        handler.send_header("location", location)
    handler.send_header("content-type", "application/json")
    handler.send_header("content-length", str(len(text)))
    handler.end_headers()
    handler.wfile.write(text)
