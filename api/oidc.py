"""Bearer tokens of an OpenID Connect provider: signed by its keys, from it, for us, in their time.

Every subject is an owner of its own, called by a hash of issuer and subject, so that no name and no
address of a person is kept or logged.
"""

import asyncio
import hashlib
import json
import time
from typing import Any

import httpx2
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from api.settings import Settings

# Of key pairs only: with a shared secret whoever can check a token could make one.
_ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"]
_LEEWAY_S = 30
_KEYS_S = 600.0  # keys are fetched anew after this
_AGAIN_S = 10.0  # and for a key that is not among them, but no more often than this
_FETCH_S = 5.0
_LONGEST_TOKEN = 16_384
_OWNER_DIGITS = 24


class TokenReader:
    """Tells whose tokens are good; keys are fetched from ``oidc_jwks_url`` and kept for a while."""

    def __init__(self, settings: Settings) -> None:
        self._url = settings.oidc_jwks_url
        self._issuer = settings.oidc_issuer
        self._claims = jwt.JWTClaimsRegistry(
            leeway=_LEEWAY_S,
            iss={"essential": True, "value": settings.oidc_issuer or ""},
            aud={"essential": True, "value": settings.oidc_audience or ""},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._keys: KeySet | None = None
        self._fetched_s = -_KEYS_S
        self._fetching = asyncio.Lock()

    async def owner_of(self, token: str) -> str | None:
        """Return whose token this is, or None if it lets nobody in."""
        if len(token) > _LONGEST_TOKEN or token.count(".") != 2:
            return None
        claims = self._claims_of(token, await self._known_keys(_KEYS_S))
        if claims is None:  # perhaps it is signed with a key that is newer than ours
            claims = self._claims_of(token, await self._known_keys(_AGAIN_S))
        if claims is None:
            return None
        named = f"{self._issuer}\n{claims['sub']}"
        return f"oidc-{hashlib.sha256(named.encode()).hexdigest()[:_OWNER_DIGITS]}"

    def _claims_of(self, token: str, keys: KeySet | None) -> dict[str, Any] | None:
        if keys is None:
            return None
        try:
            claims = jwt.decode(token, keys, algorithms=_ALGORITHMS).claims
            self._claims.validate(claims)
        except (JoseError, ValueError):
            return None
        return claims if isinstance(claims["sub"], str) and claims["sub"] else None

    async def _known_keys(self, oldest_s: float) -> KeySet | None:
        """Return the provider's keys, fetched anew if they are older than that."""
        async with self._fetching:
            if time.monotonic() - self._fetched_s < oldest_s:
                return self._keys
            self._fetched_s = time.monotonic()  # also where it fails: a provider that is down
            try:
                async with httpx2.AsyncClient(timeout=_FETCH_S) as client:
                    reply = await client.get(self._url or "")
                reply.raise_for_status()
                self._keys = KeySet.import_key_set(json.loads(reply.content))
            except (httpx2.HTTPError, JoseError, ValueError, KeyError, TypeError):
                return self._keys
            return self._keys
