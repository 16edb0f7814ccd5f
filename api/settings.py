"""What an operator may set, as ``TROCAR_*`` in the environment."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

MIB = 1 << 20
GIB = 1 << 30


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
        hosts: Names that this machine is called by where nobody has to say who they are.
        max_waiting: Jobs that may wait for a worker before the service says it is busy.
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
    hosts: frozenset[str] = frozenset({"localhost", "127.0.0.1", "[::1]"})
    max_waiting: int = Field(default=256, ge=1)
    max_case_bytes: int = Field(default=256 * MIB, ge=1)
    max_blob_bytes: int = Field(default=256 * MIB, ge=1)
    max_json_bytes: int = Field(default=96 * MIB, ge=1)
    max_request_bytes: int = Field(default=MIB, ge=1)
    max_wait_s: float = Field(default=300.0, ge=0.0)
