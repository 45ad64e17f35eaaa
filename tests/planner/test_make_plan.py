"""The planner: what must be made again, in which order, and why."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill.core.errors import BindError
from tidemill.planner.known import Known
from tidemill.planner.make import make_plan
from tidemill.planner.plan import Plan
from tidemill.planner.state import State
from tidemill.sql.statements import Summary


def summary(name: str, kind: str = "table", *, line: int = 1, digest: str = "d", **more: object) -> Summary:
    base = Summary(file="sql/a.sql", line=line, column=1, ordinal=0, kind=kind, name=name, digest=digest,
                   description_digest="", parts={"query": digest})  # fmt: skip
    return replace(base, **more)  # type: ignore[arg-type]


def built(plan: Plan, state: State) -> State:
    """The state after a plan was carried out."""
    known = dict(state.known)
    for step in plan.steps:
        if step.action == "drop":
            del known[step.asset.casefold()]
        else:
            known[step.asset.casefold()] = Known(name=step.asset, kind=step.kind, fingerprint=step.fingerprint,
                                                 parts=step.parts, reads=step.reads)  # fmt: skip
    return replace(state, known=known)


RAW = summary("customers", line=1, files=("data/*.csv",))
FEATURES = summary("features", line=5, tables=("customers",))
MODEL = summary("churn", "model", line=9, tables=("features",), model_type="LOGISTIC_REG")
CHAIN = [MODEL, FEATURES, RAW]
STATE = State(file_tokens={"data/*.csv": "t1"})


def actions(plan: Plan) -> dict[str, tuple[str, str]]:
    return {step.asset: (step.action, step.reason) for step in plan.steps}


def test_a_first_plan_builds_everything_after_what_it_reads() -> None:
    plan = make_plan(CHAIN, STATE)

    assert [step.asset for step in plan.steps] == ["customers", "features", "churn"]
    assert [step.reason for step in plan.steps] == ["new"] * 3
    assert plan.steps[2].depends == ("features",)


def test_a_second_plan_has_nothing_to_do() -> None:
    plan = make_plan(CHAIN, STATE)

    assert not make_plan(CHAIN, built(plan, STATE)).changed


def test_a_changed_file_rebuilds_what_hangs_on_it_and_says_so() -> None:
    state = built(make_plan(CHAIN, STATE), STATE)

    plan = make_plan(CHAIN, replace(state, file_tokens={"data/*.csv": "t2"}))

    assert actions(plan) == {
        "customers": ("build", "data/*.csv changed"),
        "features": ("build", "customers changed"),
        "churn": ("train", "features changed"),
    }


def test_a_changed_query_leaves_what_stands_before_it_alone() -> None:
    state = built(make_plan(CHAIN, STATE), STATE)
    edited = replace(FEATURES, digest="e", parts={"query": "e"})

    plan = make_plan([MODEL, edited, RAW], state)

    assert actions(plan)["customers"] == ("skip", "unchanged")
    assert actions(plan)["features"] == ("build", "query changed")


def test_a_description_never_rebuilds_anything() -> None:
    state = built(make_plan(CHAIN, STATE), STATE)

    assert not make_plan([MODEL, replace(FEATURES, description_digest="new words"), RAW], state).changed


def test_a_newer_algorithm_retrains_only_its_models() -> None:
    state = built(make_plan(CHAIN, STATE), STATE)

    plan = make_plan(CHAIN, replace(state, model_versions=lambda _: 2))

    assert [step.asset for step in plan.work] == ["churn"]
    assert plan.work[0].reason == "built by another version of Tidemill"


def test_an_outside_table_that_moved_on_is_a_reason() -> None:
    reader = summary("orders_clean", tables=("orders",))
    state = built(make_plan([reader], State(lake_tables={"orders": 3})), State(lake_tables={"orders": 3}))

    plan = make_plan([reader], replace(state, lake_tables={"orders": 4}))

    assert plan.steps[0].reason == "orders changed"


def test_a_statement_that_is_gone_drops_its_table() -> None:
    state = built(make_plan(CHAIN, STATE), STATE)

    plan = make_plan([FEATURES, RAW], state)

    assert actions(plan)["churn"] == ("drop", "its statement is gone")


def test_a_table_that_is_gone_is_built_again() -> None:
    state = built(make_plan(CHAIN, STATE), STATE)
    gone = replace(state.known["features"], present=False)

    plan = make_plan(CHAIN, replace(state, known={**state.known, "features": gone}))

    assert actions(plan)["features"] == ("build", "its files are gone or damaged")


def test_a_selector_brings_what_it_reads_and_nothing_else() -> None:
    plan = make_plan(CHAIN, STATE, selectors=["features"])

    assert [step.asset for step in plan.steps] == ["customers", "features"]


def test_a_plus_before_a_selector_changes_nothing() -> None:
    assert make_plan(CHAIN, STATE, selectors=["+features"]) == make_plan(CHAIN, STATE, selectors=["features"])


def test_a_selector_with_a_plus_brings_what_hangs_on_it() -> None:
    plan = make_plan(CHAIN, STATE, selectors=["customers+"])

    assert [step.asset for step in plan.steps] == ["customers", "features", "churn"]


def test_a_full_refresh_rebuilds_the_named_asset_only() -> None:
    state = built(make_plan(CHAIN, STATE), STATE)

    plan = make_plan(CHAIN, state, selectors=["churn"], full_refresh=True)

    assert actions(plan) == {
        "customers": ("skip", "unchanged"),
        "features": ("skip", "unchanged"),
        "churn": ("train", "a full refresh was asked for"),
    }


def test_names_are_one_name_whatever_their_case() -> None:
    with pytest.raises(BindError, match="made twice: here and at sql/a.sql:1:1"):
        make_plan([summary("Orders"), summary("orders", line=4)], State())


def test_a_cycle_is_refused_with_the_cycle_printed() -> None:
    circle = [summary("a", tables=("b",)), summary("b", line=2, tables=("c",)), summary("c", line=3, tables=("a",))]

    with pytest.raises(BindError, match="a -> b -> c -> a"):
        make_plan(circle, State())


def test_an_unknown_table_gets_a_suggestion() -> None:
    with pytest.raises(BindError, match="features reads the table custmers") as raised:
        make_plan([RAW, replace(FEATURES, tables=("custmers",))], STATE)

    assert raised.value.hint == "did you mean customers?"


def test_a_model_read_as_a_table_is_refused() -> None:
    with pytest.raises(BindError, match="reads churn as a table, but it is a model"):
        make_plan([*CHAIN, summary("report", line=20, tables=("churn",))], STATE)


def test_a_selector_that_matches_nothing_gets_a_suggestion() -> None:
    with pytest.raises(BindError) as raised:
        make_plan(CHAIN, STATE, selectors=["featurs"])

    assert raised.value.hint == "did you mean features?"


@given(st.permutations(CHAIN))
def test_the_order_of_files_changes_no_fingerprint(statements: list[Summary]) -> None:
    expected = {step.asset: step.fingerprint for step in make_plan(CHAIN, STATE).steps}

    assert {step.asset: step.fingerprint for step in make_plan(statements, STATE).steps} == expected


def test_five_thousand_statements_in_a_row_are_ordered() -> None:
    many = [summary("t0"), *(summary(f"t{i}", line=i, tables=(f"t{i - 1}",)) for i in range(1, 5_000))]

    assert [step.asset for step in make_plan(many, State()).steps] == [f"t{i}" for i in range(5_000)]


def test_a_statement_that_is_not_carried_out_is_never_passed_over() -> None:
    insert = summary("INSERT (sql/a.sql:30)", "other", line=30)
    state = built(make_plan(CHAIN, STATE), STATE)

    plan = make_plan([*CHAIN, insert], state)

    assert [(step.asset, step.action) for step in plan.work] == [("INSERT (sql/a.sql:30)", "refuse")]


def test_a_file_that_is_gone_is_said_to_be_gone() -> None:
    state = built(make_plan(CHAIN, STATE), STATE)

    plan = make_plan(CHAIN, replace(state, file_tokens={"data/*.csv": "missing"}))

    assert plan.steps[0].reason == "data/*.csv is gone"
