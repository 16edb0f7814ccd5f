"""What the service remembers, and that what is deleted is gone with all that hangs on it."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, make_url, text

from api.problems import BusyError, UnknownIdError
from api.storage.bundle import CaseBundle, read_bundle
from api.storage.database import Database
from api.storage.ledger import Ledger, State, StoredPlan
from api.storage.rows import metadata
from api.storage.store import ArrivedCase, Store

DESCRIPTION = {"name": "a case", "digest": "d", "structures": []}
ME, OTHER = "me", "other"
POSTGRES = "TROCAR_TEST_POSTGRES_URL"


class Kept:
    """A store and a ledger on one database, as the service has them."""

    def __init__(self, folder: Path, url: str | None = None) -> None:
        self.folder, self.url = folder, url
        self.database = Database(folder, url)
        self.store = Store(folder, self.database)
        self.ledger = Ledger(self.database)

    def accepted(self, owner: str = ME, content: bytes = b"one") -> str:
        arrived = self.store.arrive(bundle(content), ME)
        return self.store.accept(arrived, DESCRIPTION, owner).case_id

    def asked(self, case_id: str, question: str = "q") -> StoredPlan:
        return self.ledger.ask(case_id, question, {"needle": "x"}, 100)

    def claimed(self) -> StoredPlan:
        plan = self.ledger.claim(60.0)
        assert plan is not None
        return plan

    def reopened(self) -> "Kept":
        self.database.close()
        return Kept(self.folder, self.url)

    def contents(self) -> list[bytes]:
        found = (self.folder / "contents").rglob("*")
        return sorted(path.read_bytes() for path in found if path.is_file())


@pytest.fixture(params=["sqlite", "postgres"])
def kept(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Kept]:
    url = None if request.param == "sqlite" else emptied_postgres()
    opened = Kept(tmp_path, url)
    yield opened
    opened.database.close()


def emptied_postgres() -> str:
    url = os.environ.get(POSTGRES)
    if url is None:
        pytest.skip(f"{POSTGRES} names no PostgreSQL database that may be emptied")
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return url


def bundle(content: bytes = b"one") -> CaseBundle:
    files = {"meshes/L3.ply": io.BytesIO(content), "../../outside.ply": io.BytesIO(b"two")}
    return CaseBundle(document=b'{"name": "x"}', files=files)


def test_a_bundle_is_read_as_it_was_written(kept: Kept) -> None:
    arrived = kept.store.arrive(bundle(), ME)
    document, files = read_bundle(kept.store.folder_of(arrived.case_id))
    assert document == {"name": "x"}
    assert files == {"meshes/L3.ply": b"one", "../../outside.ply": b"two"}


def test_a_clients_file_names_are_never_paths_on_this_machine(kept: Kept) -> None:
    kept.accepted()
    assert not list(kept.folder.parent.glob("outside.ply"))
    names = {path.name for path in kept.folder.rglob("*")}
    assert not names & {"L3.ply", "outside.ply", "meshes"}


def test_equal_bytes_are_kept_once_and_as_long_as_a_case_needs_them(kept: Kept) -> None:
    one, two = kept.accepted(), kept.accepted(OTHER)
    assert kept.contents() == sorted([b'{"name": "x"}', b"one", b"two"])
    kept.store.delete_case(one, ME)
    assert len(kept.contents()) == 3
    kept.store.delete_case(two, OTHER)
    assert kept.contents() == []


def test_a_case_that_was_not_accepted_leaves_nothing_and_takes_nothing(kept: Kept) -> None:
    kept.accepted(content=b"shared")
    kept.store.discard(kept.store.arrive(bundle(b"shared"), ME))
    kept.store.discard(kept.store.arrive(bundle(b"new"), ME))
    assert b"shared" in kept.contents()
    assert b"new" not in kept.contents()
    assert len(list((kept.folder / "cases").iterdir())) == 1


def test_a_case_in_arrival_keeps_bytes_that_another_lets_go(kept: Kept) -> None:
    first, second = kept.store.arrive(bundle(), ME), kept.store.arrive(bundle(), ME)
    kept.store.discard(first)
    kept.store.accept(second, DESCRIPTION, ME)
    assert read_bundle(kept.store.folder_of(second.case_id))[1]["meshes/L3.ply"] == b"one"


def test_a_source_that_fails_halfway_leaves_nothing(kept: Kept) -> None:
    class Broken(io.BytesIO):
        def read(self, _: int | None = -1) -> bytes:
            raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        kept.store.arrive(CaseBundle(document=b"{}", files={"a": Broken()}), ME)
    assert kept.contents() == []


def test_deleting_a_case_deletes_its_plans_and_no_others(kept: Kept) -> None:
    case_id, other = kept.accepted(), kept.accepted(content=b"other")
    plan, remaining = kept.asked(case_id), kept.asked(other)
    kept.store.delete_case(case_id, ME)
    assert not kept.store.folder_of(case_id).exists()
    assert kept.ledger.plan(remaining.plan_id, ME).state is State.QUEUED
    for gone in (
        lambda: kept.store.case(case_id, ME),
        lambda: kept.ledger.plan(plan.plan_id, ME),
        lambda: kept.store.delete_case(case_id, ME),
        lambda: kept.asked(case_id),
    ):
        with pytest.raises(UnknownIdError):
            gone()
    assert kept.ledger.events(plan.plan_id, 0) == []


def test_a_plan_that_ends_after_its_case_was_deleted_stays_gone(kept: Kept) -> None:
    case_id = kept.accepted()
    plan = kept.asked(case_id)
    claimed = kept.claimed()
    kept.store.delete_case(case_id, ME)
    assert not kept.ledger.settle(claimed, State.DONE, "{}")
    with pytest.raises(UnknownIdError):
        kept.ledger.plan(plan.plan_id, ME)


def test_what_is_anothers_is_not_there(kept: Kept) -> None:
    case_id = kept.accepted()
    plan = kept.asked(case_id)
    for hidden in (
        lambda: kept.store.case(case_id, OTHER),
        lambda: kept.store.delete_case(case_id, OTHER),
        lambda: kept.ledger.plan(plan.plan_id, OTHER),
        lambda: kept.ledger.cancel(plan.plan_id, OTHER),
    ):
        with pytest.raises(UnknownIdError):
            hidden()
    assert kept.store.cases(OTHER, after=0, limit=9) == []


def test_pages_of_cases_hold_each_case_once_in_order(kept: Kept) -> None:
    ids = [kept.accepted() for _ in range(5)]
    seen: list[str] = []
    after = 0
    while page := kept.store.cases(ME, after=after, limit=2):
        seen += [case.case_id for case in page]
        after = page[-1].number
    assert seen == ids


def test_the_same_question_is_worked_on_once_until_it_has_failed(kept: Kept) -> None:
    case_id, other = kept.accepted(), kept.accepted()
    first = kept.asked(case_id)
    assert kept.asked(case_id).plan_id == first.plan_id
    assert kept.asked(case_id, "other").plan_id != first.plan_id
    assert kept.asked(other).plan_id != first.plan_id
    claimed = kept.claimed()
    assert kept.asked(case_id).plan_id == first.plan_id
    kept.ledger.settle(claimed, State.FAILED, "{}")
    again = kept.asked(case_id)
    assert again.plan_id != first.plan_id
    kept.ledger.cancel(again.plan_id, ME)
    assert kept.asked(case_id).plan_id != again.plan_id


def test_plans_are_claimed_in_order_and_by_one_only(kept: Kept) -> None:
    case_id = kept.accepted()
    asked = [kept.asked(case_id, str(i)).plan_id for i in range(3)]
    assert [kept.claimed().plan_id for _ in range(3)] == asked
    assert kept.ledger.claim(60.0) is None


def test_whoever_lost_the_fence_writes_nothing(kept: Kept) -> None:
    kept.asked(kept.accepted())
    late = kept.claimed()
    kept.ledger.lost(late, "{}", 5)
    winner = kept.claimed()
    assert not kept.ledger.settle(late, State.DONE, "late")
    assert kept.ledger.settle(winner, State.DONE, "answer")
    assert not kept.ledger.settle(winner, State.DONE, "twice")
    assert kept.ledger.plan(late.plan_id, ME).answer == "answer"


def test_a_plan_that_kills_its_workers_is_given_up(kept: Kept) -> None:
    plan = kept.asked(kept.accepted())
    for _ in range(3):
        kept.ledger.lost(kept.claimed(), "why", 3)
    settled = kept.ledger.plan(plan.plan_id, ME)
    assert (settled.state, settled.answer, settled.attempts) == (State.FAILED, "why", 3)


def test_a_lease_that_ran_out_frees_the_plan(kept: Kept) -> None:
    kept.asked(kept.accepted())
    assert kept.ledger.claim(-1.0) is not None
    assert kept.ledger.requeue_overdue() == 1
    assert kept.claimed().fence == 3
    assert kept.ledger.requeue_overdue() == 0


def test_a_cancelled_plan_stays_cancelled(kept: Kept) -> None:
    kept.asked(kept.accepted())
    plan = kept.claimed()
    assert kept.ledger.cancel(plan.plan_id, ME).state is State.CANCELLED
    assert not kept.ledger.settle(plan, State.DONE, "late")
    kept.ledger.lost(plan, "{}", 5)
    assert kept.ledger.claim(60.0) is None
    assert kept.ledger.plan(plan.plan_id, ME).state is State.CANCELLED


def test_a_full_queue_turns_new_questions_away_but_knows_old_ones(kept: Kept) -> None:
    case_id = kept.accepted()
    first = kept.ledger.ask(case_id, "1", {}, 1)
    with pytest.raises(BusyError):
        kept.ledger.ask(case_id, "2", {}, 1)
    assert kept.ledger.ask(case_id, "1", {}, 1).plan_id == first.plan_id


def test_events_tell_the_life_of_a_plan_from_any_point(kept: Kept) -> None:
    plan = kept.asked(kept.accepted())
    kept.ledger.lost(kept.claimed(), "{}", 5)
    kept.ledger.settle(kept.claimed(), State.DONE, "{}")
    told = kept.ledger.events(plan.plan_id, 0)
    assert [e.state for e in told] == ["queued", "running", "queued", "running", "done"]
    assert [e.sequence for e in told] == [1, 2, 3, 4, 5]
    assert kept.ledger.events(plan.plan_id, 3) == told[3:]


def test_cases_and_plans_outlive_the_service(kept: Kept) -> None:
    case_id = kept.accepted()
    plan = kept.asked(case_id)
    kept.ledger.settle(kept.claimed(), State.DONE, '{"outcome": "found"}')
    again = kept.reopened()
    assert again.store.case(case_id, ME).description == DESCRIPTION
    stored = again.ledger.plan(plan.plan_id, ME)
    assert (stored.answer, stored.request) == ('{"outcome": "found"}', {"needle": "x"})
    again.database.close()


def test_what_a_stopped_service_left_is_taken_up_at_the_next_start(kept: Kept) -> None:
    plan = kept.asked(kept.accepted())
    kept.claimed()
    half: ArrivedCase = kept.store.arrive(bundle(b"half"), ME)
    again = kept.reopened()
    assert again.ledger.plan(plan.plan_id, ME).state is State.QUEUED
    assert again.claimed().plan_id == plan.plan_id
    assert not again.store.folder_of(half.case_id).exists()
    assert b"half" not in again.contents()
    again.database.close()


def test_two_services_cannot_share_a_database(kept: Kept) -> None:
    with pytest.raises(RuntimeError, match="in use"):
        Database(kept.folder, kept.url)


def test_a_commit_is_on_the_disk_before_it_is_answered_for(tmp_path: Path) -> None:
    database = Database(tmp_path)
    assert database.is_open()
    with database.transaction() as connection:
        modes = [connection.scalar(text(f"PRAGMA {p}")) for p in ("journal_mode", "synchronous")]
    assert modes == ["wal", 2]
    database.close()


def test_the_migrations_lead_to_the_tables_that_are_used_and_back(kept: Kept) -> None:
    config = Config()
    config.set_main_option("script_location", "api.storage:migrations")
    with kept.database.transaction() as connection:
        config.attributes["connection"] = connection

        def differences() -> list[Any]:
            return compare_metadata(MigrationContext.configure(connection), metadata)

        assert differences() == []
        command.downgrade(config, "base")
        assert differences() != []
        command.upgrade(config, "head")
        assert differences() == []


def test_tables_of_an_older_kind_are_refused_not_overwritten(tmp_path: Path) -> None:
    first = Database(tmp_path)
    with first.transaction() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
    first.close()
    with pytest.raises(RuntimeError, match="move it away"):
        Database(tmp_path)
