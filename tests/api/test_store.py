"""What the service remembers, and that what is deleted is gone with all that hangs on it."""

import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.bundle import CaseBundle, read_bundle
from api.problems import UnknownIdError
from api.store import State, Store

DESCRIPTION = {"name": "a case", "digest": "d", "structures": []}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(tmp_path)
    yield opened
    opened.close()


def bundle() -> CaseBundle:
    return CaseBundle(
        document=b'{"name": "x"}',
        files={"meshes/L3.ply": io.BytesIO(b"one"), "../../outside.ply": io.BytesIO(b"two")},
    )


def added(store: Store) -> str:
    case_id = store.write_bundle(bundle())
    store.add_case(case_id, DESCRIPTION)
    return case_id


def test_a_bundle_is_read_as_it_was_written(store: Store) -> None:
    folder = store.folder_of(store.write_bundle(bundle()))
    document, files = read_bundle(folder)
    assert document == {"name": "x"}
    assert files == {"meshes/L3.ply": b"one", "../../outside.ply": b"two"}


def test_a_clients_file_names_are_never_paths_on_this_machine(store: Store, tmp_path: Path) -> None:
    folder = store.folder_of(store.write_bundle(bundle()))
    assert {path.name for path in folder.iterdir()} == {"case.json", "names.json", "0", "1"}
    assert not list(tmp_path.parent.glob("outside.ply"))


def test_deleting_a_case_deletes_its_files_and_plans_and_no_others(store: Store) -> None:
    case_id, other = added(store), added(store)
    plan, kept = store.add_plan(case_id, {}), store.add_plan(other, {})
    store.delete_case(case_id)
    assert not store.folder_of(case_id).exists()
    assert store.folder_of(other).exists()
    assert store.plan(kept.plan_id).state is State.QUEUED
    with pytest.raises(UnknownIdError):
        store.case(case_id)
    with pytest.raises(UnknownIdError):
        store.plan(plan.plan_id)
    with pytest.raises(UnknownIdError):
        store.delete_case(case_id)


def test_a_plan_that_ends_after_its_case_was_deleted_stays_gone(store: Store) -> None:
    case_id = added(store)
    plan = store.add_plan(case_id, {})
    store.delete_case(case_id)
    store.settle_plan(plan.plan_id, State.DONE, "{}")
    with pytest.raises(UnknownIdError):
        store.plan(plan.plan_id)


def test_there_is_no_plan_for_a_case_that_is_gone(store: Store) -> None:
    with pytest.raises(UnknownIdError):
        store.add_plan("nothing", {})


def test_pages_of_cases_hold_each_case_once_in_order(store: Store) -> None:
    ids = [added(store) for _ in range(5)]
    seen, after = [], 0
    while page := store.cases(after=after, limit=2):
        seen += [case.case_id for case in page]
        after = page[-1].number
    assert seen == ids


def test_cases_and_plans_outlive_the_service(tmp_path: Path) -> None:
    first = Store(tmp_path)
    case_id = added(first)
    plan = first.add_plan(case_id, {"needle": "x"})
    first.settle_plan(plan.plan_id, State.DONE, '{"outcome": "found"}')
    first.close()
    second = Store(tmp_path)
    assert second.case(case_id).description == DESCRIPTION
    assert second.plan(plan.plan_id).answer == '{"outcome": "found"}'
    assert second.plan(plan.plan_id).request == {"needle": "x"}
    second.close()


def test_what_a_stopped_service_left_is_settled_at_the_next_start(tmp_path: Path) -> None:
    first = Store(tmp_path)
    plan = first.add_plan(added(first), {})
    first.settle_plan(plan.plan_id, State.RUNNING)
    half_written = first.write_bundle(bundle())
    first.close()
    second = Store(tmp_path)
    interrupted = second.plan(plan.plan_id)
    assert interrupted.state is State.FAILED
    assert json.loads(interrupted.answer or "")["status"] == 503
    assert not second.folder_of(half_written).exists()
    second.close()


def test_two_services_cannot_share_a_folder(store: Store, tmp_path: Path) -> None:
    added(store)
    with pytest.raises(RuntimeError, match="in use"):
        Store(tmp_path)


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert store.is_open()
    store.close()
    assert not store.is_open()
    with pytest.raises(sqlite3.ProgrammingError):
        store.cases(after=0, limit=1)
