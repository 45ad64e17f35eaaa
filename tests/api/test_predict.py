"""The plain protocol: rows in, answers out, the same as the registry's own scoring."""

from __future__ import annotations

import json

import pytest
from tests.api.conftest import OTHER, ROW, Server, Start, records

from tidemill.project import open_project
from tidemill.runner.label_columns import LabelRequest


def test_rows_are_answered_with_ids_and_probabilities(server: Server) -> None:
    answer = server.predict({"rows": [ROW, OTHER]})

    assert answer.status == 200
    told = answer.json
    assert (told["model"], told["version"]) == ("churn", 1)
    first, second = told["predictions"]
    assert first["id"].endswith("-0")
    assert second["id"] == first["id"][:-1] + "1"
    assert set(first["probabilities"]) == {"no", "yes"}
    assert sum(first["probabilities"].values()) == pytest.approx(1)
    assert first["prediction"] == max(first["probabilities"], key=first["probabilities"].get)


def test_rows_and_columns_give_the_same_answers_as_sql(server: Server) -> None:
    rows = server.predict({"rows": [ROW, OTHER]}).json["predictions"]
    columns = server.predict({"columns": {name: [ROW[name], OTHER[name]] for name in ROW}}).json["predictions"]
    with open_project(server.root) as project:
        found = project.sql(
            "SELECT predicted_churned, predicted_churned_probs FROM ML.PREDICT(MODEL churn, (SELECT 41 AS age, 52.5 AS"
            " income, 'north' AS region, DATE '2021-03-04' AS since))"
        ).fetchall()

    assert [one["probabilities"] for one in rows] == [one["probabilities"] for one in columns]
    by_label = {one["label"]: one["prob"] for one in found[0][1]}
    assert rows[0]["prediction"] == found[0][0]
    assert rows[0]["probabilities"] == pytest.approx(by_label, abs=1e-5)


def test_fault_54_one_wrong_row_fails_all_and_is_named(server: Server) -> None:
    rows = [ROW] * 700 + [ROW | {"age": "old"}] + [ROW] * 299

    answer = server.predict({"rows": rows})

    assert answer.status == 422
    assert answer.json["error"]["facts"] == {"row": 700, "column": "age"}


def test_fault_54_on_request_only_the_wrong_row_fails(server: Server) -> None:
    rows = [ROW] * 700 + [ROW | {"age": "old"}] + [ROW] * 299

    answer = server.predict({"rows": rows}, query="?on_error=null")

    assert answer.status == 200
    told = answer.json["predictions"]
    assert len(told) == 1000
    assert [i for i, one in enumerate(told) if "error" in one] == [700]
    assert told[700]["error"]["column"] == "age"
    assert told[701]["prediction"] == told[0]["prediction"]


def test_an_explanation_adds_up_to_the_score(server: Server) -> None:
    answer = server.predict({"rows": [ROW]}, query="?explain=true")

    explanation = answer.json["predictions"][0]["explanation"]

    total = explanation["baseline"] + sum(one["attribution"] for one in explanation["attributions"])
    assert total == pytest.approx(explanation["score"], abs=1e-5)


@pytest.mark.parametrize("query", ["?on_error=skip", "?explain=maybe", "?a=%ff" + "&b" * 40])
def test_query_values_that_are_not_known_are_refused(server: Server, query: str) -> None:
    assert server.predict({"rows": [ROW]}, query=query).status == 400


def test_an_answer_is_in_the_log_when_it_is_given(server: Server) -> None:
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    headers = {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"}

    told = server.predict({"rows": [ROW | {"customer": "A-7"}]}, headers=headers).json["predictions"][0]

    (kept,) = [one for one in records(server.root) if one.id == told["id"]]
    assert (kept.deployment, kept.model, kept.version, kept.route) == ("churn", "churn", 1, "champion")
    assert (kept.keys, kept.trace, kept.n) == (["A-7"], trace, 1)
    assert kept.predictions == [told["prediction"]]
    assert dict(zip(kept.classes, kept.probabilities[0], strict=True)) == told["probabilities"]


def test_columns_that_slices_name_are_in_the_log_as_far_as_the_settings_let_them(start: Start) -> None:
    hidden = 'hash_columns = ["owner"]\nomit_columns = ["phone"]\n'
    server = start(churn=f'{hidden}monitor.slices = ["site", "owner", "phone", "region"]')

    server.predict({"rows": [ROW | {"site": "B", "owner": "Ann", "phone": "030", "other": 1}]})
    server.predict({"columns": {name: [value] for name, value in (ROW | {"site": "C"}).items()}})
    server.ask("POST", "/invocations?model=churn", {"dataframe_records": [ROW | {"site": "D"}]})

    first, *others = [json.loads(one.inputs) for one in records(server.root)]
    (row,) = first["rows"]
    assert row["site"] == "B"
    assert row["owner"].startswith("hmac:")
    assert set(row) == {*ROW, "site", "owner"}
    assert others[0]["columns"]["site"] == ["C"]
    assert others[1]["rows"][0]["site"] == "D"


def test_a_deployment_tells_what_its_model_takes(server: Server) -> None:
    told = server.ask("GET", "/models/churn").json

    assert [(one["name"], one["kind"]) for one in told["inputs"]] == [
        ("age", "integer"), ("income", "number"), ("region", "text"), ("since", "date")]  # fmt: skip
    assert (told["label"], told["classes"], told["version"]) == ("churned", ["no", "yes"], 1)


def test_a_deployment_that_is_not_there_is_told_with_the_nearest(server: Server) -> None:
    answer = server.predict({"rows": [ROW]}, name="chrun")

    assert answer.status == 404
    assert "churn" in answer.json["error"]["hint"]


@pytest.mark.parametrize(
    "label",
    [
        {},
        {"id": "a"},
        {"label": "yes"},
        {"id": 7, "label": "yes"},
        {"id": "a", "label": None},
        {"id": "a", "label": ["yes"]},
        {"id": "a", "label": "yes", "time": "yesterday"},
        {"customer": None, "label": "yes"},
        {"customer": {}, "label": "yes"},
        {"id": "b", "label": "yes", "known_at": "soon"},
        {"id": "b", "label": "yes", "known_at": "9999-12-31T23:59:59-12:00"},
        {"id": "b", "label": "yes", "time": "9000-01-01"},
        {"customer": 7, "label": "yes", "tiem": "2026-05-01"},
        {"customer": 7, "label": "yes", "time": "2026-05-21", "known_at": "2026-05-01"},
        7,
    ],
)
def test_labels_that_name_no_prediction_or_no_value_are_refused(server: Server, label: object) -> None:
    answer = server.ask("POST", "/models/churn/labels", {"labels": [{"id": "a", "label": "yes"}, label]})

    assert answer.status == 422
    assert answer.json["error"]["facts"]["row"] == 1


def test_labels_are_kept_by_id_or_by_key(server: Server) -> None:
    labels = [{"id": "some", "label": "yes"}, {"customer": 7, "label": "no", "time": "2024-02-29T13:45:00Z"}]

    assert server.ask("POST", "/models/churn/labels", {"labels": labels}).json == {"accepted": 2}

    kept = [row for one in records(server.root) if hasattr(one, "rows") for row in one.rows]
    assert any((row.id, row.key, row.label) == ("some", None, "yes") for row in kept)
    assert any((row.id, row.key, row.time) == (None, "7", "2024-02-29T13:45:00+00:00") for row in kept)


def test_an_answer_has_the_label_its_source_knew_last_from_http_and_from_a_file(start: Start) -> None:
    server = start()
    first, second = (server.predict({"rows": [ROW | {"customer": n}]}).json["predictions"][0]["id"] for n in (1, 2))
    newer = [{"id": first, "label": "yes", "known_at": "2026-02-02T00:00:00Z"}]
    older = [{"id": first, "label": "no", "known_at": "2026-02-01T00:00:00Z"}]
    for labels in (newer, older, older):
        assert server.ask("POST", "/models/churn/labels", {"labels": labels}).status == 202
    (server.root / "told.csv").write_text(f"prediction_id,churned\n{second},no\n{first},maybe\n", encoding="utf-8")

    with open_project(server.root) as project:
        report = project.label(LabelRequest(deployment="churn", input="told.csv", here=server.root))
        found = project.sql("SELECT id, label, revision FROM tidemill.outcomes").to_arrow().to_pylist()

    assert [row.reason.partition(" (")[0] for row in report.refused] == [
        "label 2 is 'maybe', which is no class of the model"
    ]
    assert {row["id"]: (row["label"], row["revision"]) for row in found} == {first: ("yes", 2), second: ("no", 1)}


def test_a_key_column_may_be_called_id(start: Start) -> None:
    server = start(key="id")
    told = server.predict({"rows": [ROW | {"id": 7}]}).json["predictions"][0]["id"]

    answer = server.ask(
        "POST", "/models/churn/labels", {"labels": [{"id": 7, "label": "no"}, {"id": told, "label": "yes"}]}
    )

    assert answer.json == {"accepted": 2}
    (kept,) = [one for one in records(server.root) if hasattr(one, "rows")]
    assert [(row.id, row.key) for row in kept.rows] == [(None, "7"), (told, None)]
