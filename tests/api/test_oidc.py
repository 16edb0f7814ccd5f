"""Bearer tokens: good ones let their subject in to its own cases, all others let nobody in."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi.testclient import TestClient
from joserfc import jwt
from joserfc.jwk import ECKey, Key, OctKey, RSAKey
from pydantic import ValidationError

from api.keys import FILE, KeyRing
from api.main import create_app
from api.settings import Settings

if TYPE_CHECKING:
    from tests.api.conftest import Bundle

ISSUER, AUDIENCE = "https://login.example", "trocar"
RSA = RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=False)
EC = ECKey.generate_key("P-256", {"kid": "two"}, auto_kid=False)
OTHER = RSAKey.generate_key(2048, {"kid": "one"}, auto_kid=False)


class Provider(HTTPServer):
    """An issuer's keys, over HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Keys)
        self.keys: list[Key] = [RSA]
        self.asked = 0


class _Keys(BaseHTTPRequestHandler):
    server: Provider

    def do_GET(self) -> None:
        self.server.asked += 1
        keys = [key.as_dict(private=False) for key in self.server.keys]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"keys": keys}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Say nothing."""


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    server = Provider()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def guarded(provider: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = Settings(
        data_folder=tmp_path_factory.mktemp("data"), oidc_issuer=ISSUER, oidc_audience=AUDIENCE,
        oidc_jwks_url=f"http://127.0.0.1:{provider.server_port}/keys",
    )  # fmt: skip
    with TestClient(create_app(settings), "https://spine.example") as opened:
        yield opened


def token(
    key: Key = RSA, algorithm: str = "RS256", kid: str | None = None, **changes: object
) -> str:
    now_s = int(time.time())
    claims = {
        "iss": ISSUER, "aud": AUDIENCE, "sub": "jane", "exp": now_s + 600, "iat": now_s, **changes,
    }  # fmt: skip
    header = {"alg": algorithm, "kid": kid or key.kid}
    stated = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(header, stated, key, algorithms=[algorithm])


def status(client: TestClient, shown: str) -> int:
    return client.get("/v1/cases", headers={"Authorization": f"Bearer {shown}"}).status_code


def unsigned() -> str:
    def part(content: dict[str, Any]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()

    claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": "jane", "exp": time.time() + 600}
    return f"{part({'alg': 'none', 'kid': 'one'})}.{part(claims)}."


def test_each_subject_sees_its_own_cases_only(guarded: TestClient, small: "Bundle") -> None:
    jane, john = ({"Authorization": f"Bearer {token(sub=who)}"} for who in ("jane", "john"))
    made = guarded.post("/v1/cases", files=small.parts(), headers=jane)
    assert made.status_code == 201, made.text
    case = made.headers["location"]
    later = {"Authorization": f"Bearer {token(sub='jane', jti='another')}"}
    assert guarded.get(case, headers=later).status_code == 200
    assert guarded.get(case, headers=john).status_code == 404
    trail = guarded.app.state.service.settings.data_folder / "audit.jsonl"  # type: ignore[attr-defined]
    who = {json.loads(line)["who"] for line in trail.read_text().splitlines()}
    assert all(one == "nobody" or one.startswith("oidc-") for one in who)
    assert "jane" not in trail.read_text()


def test_a_token_that_is_not_whole_true_ours_and_in_time_lets_nobody_in(
    guarded: TestClient,
) -> None:
    assert status(guarded, token()) == 200
    now_s = int(time.time())
    # As a shared secret, which is no secret: what is public in the pair (RFC 8725, 2.1).
    public = OctKey.import_key(str(RSA.as_dict(private=False)["n"]), {"kid": "one"})
    head, claims, signature = token().split(".")
    wrong = {
        "of another key": token(OTHER),
        "of another issuer": token(iss="https://evil.example"),
        "for another service": token(aud="other"),
        "without an issuer": token(iss=None),
        "without an audience": token(aud=None),
        "that has ended": token(exp=now_s - 60),
        "without an end": token(exp=None),
        "of later": token(nbf=now_s + 600),
        "of nobody": token(sub=None),
        "of an empty name": token(sub=""),
        "of a number": token(sub=7),
        "unsigned": unsigned(),
        "signed with the public key": token(public, "HS256"),
        "without its signature": f"{head}.{claims}.",
        "with claims of its own": f"{head}.{unsigned().split('.')[1]}.{signature}",
        "cut short": token()[:-4],
        "of noise": "a.b.c",
        "as long as a book": "a." * 2 + "b" * 100_000,
    }
    for what, shown in wrong.items():
        assert status(guarded, shown) == 401, what


def test_a_new_key_of_the_provider_is_fetched_but_not_for_every_token(
    guarded: TestClient, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert status(guarded, token()) == 200
    provider.keys = [RSA, EC]
    asked = provider.asked
    for _ in range(5):
        status(guarded, token(OTHER, kid="unknown"))
    assert provider.asked <= asked + 1
    monkeypatch.setattr("api.oidc._AGAIN_S", 0.0)
    assert status(guarded, token(EC, "ES256")) == 200


def test_a_provider_that_is_down_lets_nobody_in_and_keys_still_work(tmp_path: Path) -> None:
    key = KeyRing(tmp_path / FILE).add("one")
    settings = Settings(
        data_folder=tmp_path, oidc_issuer=ISSUER, oidc_audience=AUDIENCE,
        oidc_jwks_url="http://127.0.0.1:1/keys",
    )  # fmt: skip
    with TestClient(create_app(settings), "https://spine.example") as client:
        assert status(client, token()) == 401
        assert status(client, key) == 200


@pytest.mark.parametrize(
    "stated",
    [
        {"oidc_issuer": ISSUER},
        {"oidc_issuer": ISSUER, "oidc_audience": "a"},
        {"oidc_issuer": ISSUER, "oidc_audience": "a", "oidc_jwks_url": "http://login.example/k"},
    ],
)
def test_half_a_provider_or_one_that_others_can_speak_for_is_refused(
    stated: dict[str, str],
) -> None:
    with pytest.raises(ValidationError, match="OIDC"):
        Settings(**stated)  # type: ignore[arg-type]
