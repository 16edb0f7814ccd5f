"""The store and the ledger against a model, through any order of deeds and restarts."""

import io
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from api.problems import BusyError, UnknownIdError
from api.storage.bundle import CaseBundle, read_bundle
from api.storage.database import Database
from api.storage.ledger import OPEN, Ledger, State, StoredPlan
from api.storage.store import Store

OWNERS = ("me", "other")
MOST_QUEUED = 4
MOST_DEATHS = 2
DOCUMENT = b'{"name": "x"}'


@dataclass
class Known:
    """What the model knows of a case: whose it is, its bytes, its plans by id."""

    owner: str
    content: bytes
    plans: dict[str, State] = field(default_factory=dict)


class StoreMachine(RuleBasedStateMachine):
    """Deeds of clients, workers and crashes; what is there must be what the model has."""

    cases = Bundle("cases")
    claimed = Bundle("claimed")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.model: dict[str, Known] = {}
        self.holders: dict[str, StoredPlan] = {}
        self.deaths: dict[str, int] = {}
        self._open()

    def _open(self) -> None:
        self.database = Database(self.folder)
        self.store = Store(self.folder, self.database)
        self.ledger = Ledger(self.database)

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    def _plans(self) -> dict[str, State]:
        return {plan: state for case in self.model.values() for plan, state in case.plans.items()}

    def _set(self, plan_id: str, state: State) -> None:
        for case in self.model.values():
            if plan_id in case.plans:
                case.plans[plan_id] = state

    @rule(target=cases, owner=st.sampled_from(OWNERS), content=st.sampled_from([b"1", b"2", b"3"]))
    def hand_in(self, owner: str, content: bytes) -> str:
        files = {"L3.ply": io.BytesIO(content)}
        arrived = self.store.arrive(CaseBundle(document=DOCUMENT, files=files), owner)
        case_id = self.store.accept(arrived, {"digest": "d"}, owner).case_id
        self.model[case_id] = Known(owner, content)
        return case_id

    @rule(content=st.sampled_from([b"1", b"4"]))
    def hand_in_what_is_refused(self, content: bytes) -> None:
        files = {"L3.ply": io.BytesIO(content)}
        self.store.discard(self.store.arrive(CaseBundle(document=DOCUMENT, files=files), "me"))

    @rule(case_id=consumes(cases))
    def delete(self, case_id: str) -> None:
        self.store.delete_case(case_id, self.model.pop(case_id).owner)

    @rule(case_id=cases, question=st.sampled_from("ab"))
    def ask(self, case_id: str, question: str) -> None:
        known = self.model[case_id]
        queued = sum(state is State.QUEUED for state in self._plans().values())
        try:
            plan = self.ledger.ask(case_id, question, {"of": question}, MOST_QUEUED)
        except BusyError:
            assert queued >= MOST_QUEUED
            return
        if plan.plan_id not in known.plans:
            assert queued < MOST_QUEUED
            known.plans[plan.plan_id] = State.QUEUED
        else:
            assert known.plans[plan.plan_id] in {*OPEN, State.DONE}
        assert plan.state is known.plans[plan.plan_id]

    @rule(target=claimed)
    def claim(self) -> StoredPlan | None:
        plan = self.ledger.claim(600.0)
        if plan is None:
            assert State.QUEUED not in self._plans().values()
            return None
        assert self._plans()[plan.plan_id] is State.QUEUED
        self._set(plan.plan_id, State.RUNNING)
        self.holders[plan.plan_id] = plan
        return plan

    def _holds(self, plan: StoredPlan) -> bool:
        running = self._plans().get(plan.plan_id) is State.RUNNING
        return running and self.holders.get(plan.plan_id) is plan

    @rule(plan=claimed, state=st.sampled_from([State.DONE, State.FAILED]))
    def settle(self, plan: StoredPlan | None, state: State) -> None:
        if plan is not None:
            assert self.ledger.settle(plan, state, "{}") == self._holds(plan)
            if self._holds(plan):
                self._set(plan.plan_id, state)

    @rule(plan=claimed)
    def lose(self, plan: StoredPlan | None) -> None:
        if plan is not None:
            self.ledger.lost(plan, "{}", MOST_DEATHS)
            if self._holds(plan):
                died = self.deaths[plan.plan_id] = self.deaths.get(plan.plan_id, 0) + 1
                self._set(plan.plan_id, State.FAILED if died >= MOST_DEATHS else State.QUEUED)

    @rule(case_id=cases, which=st.integers(0, 3))
    def cancel(self, case_id: str, which: int) -> None:
        known = self.model[case_id]
        for plan_id in sorted(known.plans)[which : which + 1]:
            plan = self.ledger.cancel(plan_id, known.owner)
            if known.plans[plan_id] in OPEN:
                known.plans[plan_id] = State.CANCELLED
            assert plan.state is known.plans[plan_id]

    @rule()
    def crash(self) -> None:
        self.database.close()
        self._open()
        for plan_id, state in self._plans().items():
            if state is State.RUNNING:
                self._set(plan_id, State.QUEUED)

    @invariant()
    def what_is_there_is_what_is_known(self) -> None:
        for owner in OWNERS:
            mine = [c.case_id for c in self.store.cases(owner, after=0, limit=1000)]
            assert mine == [c for c, known in self.model.items() if known.owner == owner]
        wanted = {known.content for known in self.model.values()}
        found = [p.read_bytes() for p in (self.folder / "contents").rglob("*") if p.is_file()]
        assert sorted(found) == sorted([*wanted, *([DOCUMENT] if wanted else [])])
        for case_id, known in self.model.items():
            read = read_bundle(self.store.folder_of(case_id))[1]
            assert read == {"L3.ply": known.content}
            for plan_id, state in known.plans.items():
                assert self.ledger.plan(plan_id, known.owner).state is state

    @invariant()
    def nobody_sees_what_is_anothers(self) -> None:
        for case_id, known in self.model.items():
            stranger = next(owner for owner in OWNERS if owner != known.owner)
            try:
                self.store.case(case_id, stranger)
            except UnknownIdError:
                continue
            raise AssertionError(f"{stranger} sees a case of {known.owner}")


TestStore = StoreMachine.TestCase
TestStore.settings = settings(
    max_examples=12, stateful_step_count=25, deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)  # fmt: skip
