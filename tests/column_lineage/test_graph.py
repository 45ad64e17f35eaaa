"""Edges, told one by one: which column, in which way, and what cannot be known."""

from __future__ import annotations

import pytest
from tests.column_lineage.conftest import Build, edges

from tidemill.column_lineage.graph import HOWS, ColumnRef
from tidemill.column_lineage.select import find_ref, select
from tidemill.core.errors import NotFoundError

MODEL = """
CREATE MODEL m TRANSFORM (ML.STANDARD_SCALER(x) OVER () AS scaled, x + y AS total, s)
OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['s']) AS SELECT x, y, s, g FROM a WHERE id > 2;
"""


def test_each_part_of_a_query_acts_in_its_own_way(build: Build) -> None:
    graph = build(
        "CREATE TABLE t AS SELECT a.g AS region, sum(x) AS total, max(CASE WHEN y > 1 THEN z END) AS top "
        "FROM a JOIN b ON a.id = b.id WHERE w > 1 GROUP BY a.g HAVING min(s) > 'a' ORDER BY min(x)"
    )

    assert edges(graph, "t") == {
        "region": ["a.g identity"],
        "total": ["a.x aggregation"],
        "top": ["a.y conditional", "b.z aggregation"],
        "": ["a.g group_by", "a.id join", "a.s filter", "a.x sort", "b.id join", "b.w filter"],
    }


def test_the_strongest_way_holds_over_several_steps(build: Build) -> None:
    graph = build(
        "CREATE TABLE t AS WITH p AS (SELECT x AS same, x + 1 AS more, sum(x) AS total FROM a), "
        "q AS (SELECT same AS s, more AS m, total + 1 AS u FROM p) SELECT s, m, u, max(s) OVER (ORDER BY m) AS w FROM q"
    )

    assert {column: sources for column, sources in edges(graph, "t").items() if column} == {
        "s": ["a.x identity"],
        "m": ["a.x transformation"],
        "u": ["a.x aggregation"],
        "w": ["a.x aggregation", "a.x window"],
    }


def test_names_are_compared_as_the_engine_does(build: Build) -> None:
    graph = build('CREATE TABLE "Sales"."Orders" AS SELECT X AS "Net" FROM A; CREATE VIEW v AS FROM sales.orders')

    assert edges(graph, "v") == {"net": ["Sales.Orders.Net identity"]}
    assert graph.name(find_ref(graph, "SALES.orders.NET")) == "Sales.Orders.Net"


def test_a_view_is_a_node_of_its_own(build: Build) -> None:
    graph = build("CREATE VIEW v AS SELECT x FROM a WHERE y > 1; CREATE TABLE t AS SELECT x FROM v")

    assert edges(graph, "t") == {"x": ["v.x identity"]}
    assert edges(graph, "v") == {"x": ["a.x identity"], "": ["a.y filter"]}


def test_order_of_statements_does_not_matter(build: Build) -> None:
    graph = build("CREATE TABLE t AS SELECT * FROM v; CREATE VIEW v AS SELECT x, g FROM a")

    assert list(graph.nodes["t"].columns) == ["x", "g"]
    assert list(graph.nodes) == ["a", "v", "t"]


def test_what_counts_rows_comes_from_the_rows(build: Build) -> None:
    assert edges(build("CREATE TABLE t AS SELECT count(*) AS n FROM a"), "t") == {"n": ["a aggregation"]}


def test_features_and_the_label_of_a_model_are_told_apart(build: Build) -> None:
    graph = build(MODEL)

    assert [(one.name, one.role) for one in graph.nodes["m"].columns.values()] == [
        ("scaled", "feature"),
        ("total", "feature"),
        ("s", "label"),
        ("predicted_s", "prediction"),
        ("predicted_s_probs", "prediction"),
    ]
    assert edges(graph, "m")["scaled"] == ["a.x transformation"]
    assert edges(graph, "m")["total"] == ["a.x transformation", "a.y transformation"]
    assert edges(graph, "m")["s"] == ["a.s identity"]
    assert edges(graph, "m")["predicted_s"] == ["m.s training", "m.scaled training", "m.total training"]
    assert edges(graph, "m")[""] == ["a.id filter"]


def test_a_prediction_comes_from_the_model_and_its_features_only(build: Build) -> None:
    graph = build(MODEL + "CREATE TABLE p AS SELECT * FROM ML.PREDICT(MODEL m, (SELECT id, x * 2 AS x, y, s FROM a));")

    found = edges(graph, "p")
    assert list(found) == ["predicted_s", "predicted_s_probs", "id", "x", "y", "s"]
    assert found["predicted_s"] == ["a.x transformation", "a.y transformation", "m.predicted_s transformation"]
    assert found["x"] == ["a.x transformation"]
    assert found["s"] == ["a.s identity"]


def test_a_regression_has_no_probabilities_and_takes_every_other_column(build: Build) -> None:
    graph = build(
        "CREATE MODEL m OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['Y'], data_split_col = 'id', "
        "data_split_method = 'SEQ') AS SELECT id, x, y FROM a"
    )

    assert [(one.name, one.role) for one in graph.nodes["m"].columns.values()] == [
        ("x", "feature"), ("id", "split"), ("y", "label"), ("predicted_y", "prediction"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("call", "columns"),
    [
        ("ML.EVALUATE(MODEL m)", ["precision", "recall", "accuracy", "f1_score", "log_loss", "roc_auc"]),
        ("ML.TRANSFORM(MODEL m, TABLE a)", ["scaled", "total", "s"]),
        ("ML.FEATURE_IMPORTANCE(MODEL m)", ["feature", "importance_weight", "importance_gain", "importance_cover"]),
        ("ML.ROC_CURVE(MODEL m, TABLE a)", ["threshold", "recall", "false_positive_rate", "true_positives",
                                            "false_positives", "true_negatives", "false_negatives"]),
    ],
)  # fmt: skip
def test_functions_over_a_model_have_known_columns(build: Build, call: str, columns: list[str]) -> None:
    graph = build(f"{MODEL} CREATE TABLE t AS SELECT * FROM {call};")

    assert [one.name for one in graph.nodes["t"].columns.values()] == columns
    assert graph.nodes["t"].reads == (("a", "m") if "TABLE a" in call else ("m",))


def test_an_unknown_model_is_said_and_its_prediction_followed(build: Build) -> None:
    graph = build("CREATE TABLE t AS SELECT predicted_y FROM ML.PREDICT(MODEL gone, TABLE a)")

    assert "a.x transformation" in edges(graph, "t")["predicted_y"]
    assert [note.text for note in graph.notes] == ["model gone is made by no statement and is not registered"]


def test_bigquery_names_unnamed_columns_and_reads_arrays(build: Build) -> None:
    graph = build(
        "CREATE TABLE t AS SELECT x + 1, SUM(y), p.prob FROM a, UNNEST([STRUCT(x AS prob)]) AS p GROUP BY ALL",
        dialect="bigquery",
    )

    assert {column: sources for column, sources in edges(graph, "t").items() if column} == {
        "f0_": ["a.x transformation"],
        "f1_": ["a.y aggregation"],
        "prob": ["a.x transformation"],
    }


def test_a_star_over_a_file_lists_its_columns(build: Build) -> None:
    graph = build("CREATE TABLE t AS SELECT *, amount * 2 AS twice FROM 'known.csv'")

    assert list(edges(graph, "t")) == ["id", "day", "amount", "twice"]
    assert edges(graph, "t")["twice"] == ["known.csv.amount transformation"]


def test_a_file_nobody_can_read_is_said_and_not_guessed(build: Build) -> None:
    graph = build("CREATE VIEW v AS SELECT * EXCLUDE (day) FROM 'gone.csv'; CREATE TABLE t AS SELECT id, x FROM v, a")

    assert not graph.nodes["v"].complete
    assert edges(graph, "t") == {"id": ["a.id identity"], "x": ["a.x identity"]}
    assert [note.text for note in graph.notes] == [
        "its columns are not known: no such file",
        "not all columns of v are known: it takes all that gone.csv has",
    ]


def test_a_column_that_passes_an_open_star_is_followed_to_the_file(build: Build) -> None:
    graph = build("CREATE VIEW v AS SELECT * FROM 'gone.csv'; CREATE TABLE t AS SELECT day FROM v")

    assert edges(graph, "t") == {"day": ["v.day identity"]}
    assert edges(graph, "v") == {"day": ["gone.csv.day identity"]}


def test_a_column_two_sources_may_have_is_followed_to_both(build: Build) -> None:
    graph = build("CREATE TABLE t AS SELECT day FROM 'gone.csv' AS p JOIN 'lost.csv' AS q ON p.i = q.i")

    assert edges(graph, "t")["day"] == ["gone.csv.day identity", "lost.csv.day identity"]
    assert "day may come from gone.csv or lost.csv" in [note.text for note in graph.notes]


def test_load_data_and_outside_tables_are_sources(build: Build) -> None:
    graph = build(
        "LOAD DATA OVERWRITE raw FROM FILES (format = 'CSV', uris = ['known.csv']);"
        "CREATE TABLE t AS SELECT raw.id, c.name, r.run_id FROM raw, crm.public.customers AS c, tidemill.runs AS r"
    )

    kinds = {node.name: node.kind for node in graph.nodes.values()}
    assert kinds == {
        "known.csv": "file", "raw": "load", "crm.public.customers": "connection", "tidemill.runs": "system",
        "t": "table",
    }  # fmt: skip
    assert edges(graph, "raw")["amount"] == ["known.csv.amount identity"]


def test_a_star_over_a_table_of_a_connection_lists_its_columns(build: Build) -> None:
    graph = build("CREATE TABLE t AS SELECT * FROM crm.public.customers; CREATE TABLE u AS SELECT * FROM crm.gone")

    assert edges(graph, "t")["name"] == ["crm.public.customers.name identity"]
    assert graph.notes[0].text == "its columns are not known: no such table"


def test_keys_and_deletions_of_an_incremental_table_decide_its_rows(build: Build) -> None:
    graph = build(
        "CREATE TABLE t OPTIONS (incremental_by = 'day', unique_key = ['id'], deleted_when = 'amount < 0') AS "
        "SELECT * FROM 'known.csv'"
    )

    assert edges(graph, "t")[""] == ["known.csv.amount filter", "known.csv.day filter", "known.csv.id group_by"]


def test_a_name_of_the_query_around_is_not_taken_for_a_column_of_an_open_file(build: Build) -> None:
    graph = build("CREATE VIEW v AS SELECT p.day FROM 'p.csv' AS p WHERE EXISTS (FROM 'q.csv' AS q WHERE q.i = p.i)")

    assert edges(graph, "v") == {
        "day": ["p.csv.day identity"],
        "": ["p.csv.i filter", "q.csv filter", "q.csv.i filter"],
    }


def test_statements_that_read_each_other_in_a_circle_still_have_a_graph(build: Build) -> None:
    graph = build("CREATE VIEW p AS SELECT x FROM q; CREATE VIEW q AS SELECT x, y FROM p")

    assert edges(graph, "p") == {"x": ["q.x identity"]}


def test_only_what_is_asked_for_is_followed(build: Build) -> None:
    graph = build(
        "CREATE VIEW p AS SELECT x FROM a; CREATE VIEW q AS SELECT x FROM p; CREATE VIEW other AS SELECT z FROM b",
        around=["p"],
    )

    assert list(graph.nodes) == ["a", "p", "q"]


def test_an_assertion_comes_from_all_it_looks_at(build: Build) -> None:
    graph = build("ASSERT (SELECT count(*) FROM a WHERE x < 0) = 0 AS 'no debts'")

    (key,) = [key for key, node in graph.nodes.items() if node.kind == "assert"]
    assert edges(graph, key) == {"holds": ["a aggregation", "a.x filter"]}


CHAIN = (
    "CREATE VIEW p AS SELECT x AS v, y FROM a WHERE g = 'p'; CREATE VIEW q AS SELECT v + 1 AS u FROM p WHERE y > 1;"
    "CREATE TABLE r AS SELECT u, sum(u) AS total FROM q GROUP BY u"
)


def test_a_part_goes_both_ways_and_rows_are_not_followed_further(build: Build) -> None:
    graph = build(CHAIN)

    part = select(graph, find_ref(graph, "q.u"))

    assert {(graph.name(edge.source), graph.name(edge.target), edge.how) for edge in part.edges} == {
        ("a.x", "p.v", "identity"),
        ("a.g", "p", "filter"),
        ("p.v", "q.u", "transformation"),
        ("p.y", "q", "filter"),
        ("q.u", "r.u", "identity"),
        ("q.u", "r.total", "aggregation"),
        ("q.u", "r", "group_by"),
    }


@pytest.mark.parametrize(
    ("options", "reached"),
    [
        ({"up": False}, {"q", "r"}),
        ({"down": False}, {"a", "p", "q"}),
        ({"down": False, "depth": 1}, {"p", "q"}),
        ({"direct": True}, {"a", "p", "q", "r"}),
    ],
)
def test_a_part_ends_where_it_is_told_to(build: Build, options: dict[str, bool], reached: set[str]) -> None:
    graph = build(CHAIN)

    part = select(graph, find_ref(graph, "q.u"), **options)

    assert set(part.nodes) == reached
    if options.get("direct"):
        assert all(edge.direct for edge in part.edges)


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("orderz", "there is no table, view, model or source orderz", "did you mean orders?"),
        ("orders.amonut", "orders has no column amonut", "did you mean amount?"),
        ("shop.nowhere.x", "there is no table, view, model or source shop.nowhere", "known: a, orders"),
    ],
)
def test_an_unknown_name_gets_the_nearest(build: Build, name: str, message: str, hint: str) -> None:
    graph = build("CREATE TABLE orders AS SELECT x AS amount FROM a")

    with pytest.raises(NotFoundError) as caught:
        find_ref(graph, name)

    assert (caught.value.message, caught.value.hint) == (message, hint)


def test_the_ways_are_those_of_openlineage_and_training() -> None:
    direct = {name for name, how in HOWS.items() if how.direct}

    assert direct == {"identity", "transformation", "aggregation"}
    assert set(HOWS) - direct == {"join", "group_by", "filter", "sort", "window", "conditional", "training"}


def test_plain_data_names_both_ends_and_the_subtype(build: Build) -> None:
    plain = build("CREATE TABLE t AS SELECT x FROM a WHERE y > 1").as_json()

    assert plain["edges"] == [
        {"from": {"name": "a", "column": "y"}, "to": {"name": "t", "column": None}, "type": "INDIRECT",
         "subtype": "FILTER"},
        {"from": {"name": "a", "column": "x"}, "to": {"name": "t", "column": "x"}, "type": "DIRECT",
         "subtype": "IDENTITY"},
    ]  # fmt: skip
    assert ColumnRef("t").column == ""


def test_cleaning_functions_are_followed_into_what_they_read(build: Build) -> None:
    graph = build(
        "CREATE TABLE t AS SELECT CLEAN.NUMBER(x) AS n, CLEAN.CATEGORY(g, ['a', 'b'], distance => 1) AS c, "
        "CLEAN.MAJORITY(y) OVER (PARTITION BY g) AS m, CLEAN.FILL(x, 'forward') OVER (ORDER BY id) AS f FROM a; "
        "CREATE TABLE u AS SELECT x, s FROM CLEAN.LATEST(TABLE a, 'g', 'id')"
    )
    assert edges(graph, "t") == {
        "n": ["a.x transformation"],
        "c": ["a.g transformation"],
        "m": ["a.g window", "a.y transformation"],
        "f": ["a.id window", "a.x transformation"],
    }
    assert edges(graph, "u") == {"x": ["a.x identity"], "s": ["a.s identity"], "": ["a.g filter", "a.id filter"]}
