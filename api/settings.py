"""What an operator may set, as ``TROCAR_*`` in the environment."""

from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1 << 20
GIB = 1 << 30
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class Settings(BaseSettings):
    """Settings of the service. Everything has a default that is safe on one's own machine.

    Attributes:
        data_folder: Where cases and plans are kept. Without one they live in a temporary folder
            that is removed when the service stops: a spine is a person's, and keeping it is a
            decision.
        workers: Processes that plan at the same time.
        live_sessions: Processes that follow a dragged target, each for one client.
        live_idle_s: Silence after which a live session is ended.
        max_worker_bytes: Address space that a worker may use (Linux).
        max_job_s: Longest that a worker may take over one job.
        max_attempts: Workers that may die over one plan before it is given up.
        max_queued: Plans that may wait before further ones are turned away.
        database_url: Of PostgreSQL, such as postgresql://user@host/trocar; SQLite in the data
            folder without one.
        object_store: Where the bytes of cases are kept, such as s3://bucket/prefix; the data
            folder without one, which is then only a cache of them.
        engine: ``local``, or the address of a Dask scheduler whose nodes make the plans.
        engine_ca: Certificate of whom the engine's TLS trusts, as PEM.
        engine_certificate: What this process shows to the engine, as PEM.
        engine_key: Its key, as PEM.
        hosts: Names that this machine is called by where nobody has to say who they are.
        oidc_issuer: Whose bearer tokens are taken, besides keys; all three or none.
        oidc_audience: Whom those tokens must be for.
        oidc_jwks_url: Where the issuer's public keys are.
        retention_days: Age at which cases are deleted; they are kept without one.
        requests_per_s: Requests that each owner, or each address before it is known whose it is,
            may make per second over time.
        requests_burst: And at once.
        max_waiting: Jobs that may wait for a worker before the service says it is busy.
        max_structures: Structures of one case.
        max_triangles: Triangles of one structure.
        max_case_bytes: Longest multipart body.
        max_blob_bytes: Longest body of one mesh.
        max_json_bytes: Longest JSON body that carries a case.
        max_request_bytes: Longest JSON body that carries only a request.
        max_wait_s: Longest time that ``Prefer: wait`` is honoured for.
    """

    model_config = SettingsConfigDict(env_prefix="TROCAR_", extra="ignore", frozen=True)

    data_folder: Path | None = None
    workers: int = Field(default=1, ge=1, le=64)
    live_sessions: int = Field(default=2, ge=1, le=64)
    live_idle_s: float = Field(default=600.0, gt=0.0)
    max_worker_bytes: int = Field(default=8 * GIB, ge=GIB)
    max_job_s: float = Field(default=600.0, gt=0.0)
    max_attempts: int = Field(default=5, ge=1)
    max_queued: int = Field(default=1000, ge=1)
    database_url: str | None = None
    object_store: str | None = None
    engine: str = "local"
    engine_ca: Path | None = None
    engine_certificate: Path | None = None
    engine_key: Path | None = None
    hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1", "[::1]"})
    oidc_issuer: str | None = None
    oidc_audience: str | None = None
    oidc_jwks_url: str | None = None
    retention_days: float | None = Field(default=None, gt=0.0)
    requests_per_s: float = Field(default=100.0, gt=0.0)
    requests_burst: int = Field(default=500, ge=1)
    max_waiting: int = Field(default=256, ge=1)
    max_structures: int = Field(default=500, ge=1)
    max_triangles: int = Field(default=5_000_000, ge=1)
    max_case_bytes: int = Field(default=256 * MIB, ge=1)
    max_blob_bytes: int = Field(default=256 * MIB, ge=1)
    max_json_bytes: int = Field(default=96 * MIB, ge=1)
    max_request_bytes: int = Field(default=MIB, ge=1)
    max_wait_s: float = Field(default=300.0, ge=0.0)

    @property
    def takes_tokens(self) -> bool:
        """Whether bearer tokens of a provider let in."""
        return self.oidc_issuer is not None

    @model_validator(mode="after")
    def _whole(self) -> "Settings":
        tokens = (self.oidc_issuer, self.oidc_audience, self.oidc_jwks_url)
        if any(tokens) != all(tokens):
            raise ValueError("OIDC_ISSUER, OIDC_AUDIENCE and OIDC_JWKS_URL go together")
        if self.oidc_jwks_url is not None and not _is_private_way(self.oidc_jwks_url, "https"):
            raise ValueError("OIDC_JWKS_URL must be https, or on this machine")
        if self.engine != "local":
            self._require_engine()
        return self

    def _require_engine(self) -> None:
        if not _is_private_way(self.engine, "tls"):
            raise ValueError(
                "ENGINE must be tls://HOST:PORT, or tcp:// on this machine: who reaches a Dask "
                "scheduler can run programs on its nodes"
            )
        if self.engine.startswith("tls:") and None in {
            self.engine_ca, self.engine_certificate, self.engine_key,
        }:  # fmt: skip
            raise ValueError("ENGINE over TLS needs ENGINE_CA, ENGINE_CERTIFICATE and ENGINE_KEY")
        if self.object_store is None:
            raise ValueError("ENGINE needs OBJECT_STORE, from which its nodes read the cases")


def _is_private_way(url: str, secret_scheme: str) -> bool:
    """Tell whether nobody can listen on the way to an address."""
    parts = urlsplit(url)
    return parts.scheme == secret_scheme or (parts.hostname or "") in LOOPBACK
