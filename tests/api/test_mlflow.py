"""MLflow's scoring protocol, by hand and with MLflow's own client."""

from __future__ import annotations

import json
import warnings
from typing import Any

import pytest
from tests.api.conftest import OTHER, ROW, Server

WHERE = "/invocations?model=churn"
ROWS = [ROW, OTHER]

FORMS: dict[str, Any] = {
    "dataframe_split": {"columns": list(ROW), "data": [list(row.values()) for row in ROWS]},
    "dataframe_records": ROWS,
    "instances": ROWS,
    "inputs": {name: [row[name] for row in ROWS] for name in ROW},
}


def expected(server: Server) -> list[str]:
    return [one["prediction"] for one in server.predict({"rows": ROWS}).json["predictions"]]


@pytest.mark.parametrize("form", FORMS)
def test_each_json_form_is_answered(server: Server, form: str) -> None:
    answer = server.ask("POST", WHERE, {form: FORMS[form]})

    assert answer.json == {"predictions": expected(server)}
    assert answer.headers["x-tidemill-id"]


def test_csv_with_a_header_is_answered(server: Server) -> None:
    lines = b"age,income,region,since\r\n41,52.5,north,2021-03-04\r\n3,99,,2020-01-01\r\n"

    answer = server.ask("POST", WHERE, raw=lines, headers={"Content-Type": "text/csv; charset=utf-8"})

    assert answer.json == {"predictions": expected(server)}


def test_probabilities_come_where_the_parameters_ask_for_them(server: Server) -> None:
    plain = server.predict({"rows": [ROW]}).json["predictions"][0]

    answer = server.ask("POST", WHERE, {"instances": [ROW], "params": {"probabilities": True}})

    told = answer.json["predictions"][0]
    assert told == {"prediction": plain["prediction"], "probabilities": plain["probabilities"]}


def test_lists_of_values_are_taken_in_the_order_of_the_columns(server: Server) -> None:
    answer = server.ask("POST", "/invocations", {"instances": [[41.0, 52.5]]}, headers={"X-Tidemill-Model": "spend"})

    plain = server.predict({"rows": [{"age": 41.0, "income": 52.5}]}, name="spend").json["predictions"]
    assert answer.json["predictions"] == [plain[0]["prediction"]]


def test_of_several_deployments_one_has_to_be_named(server: Server) -> None:
    answer = server.ask("POST", "/invocations", {"instances": [ROW]})

    assert answer.status == 400
    assert "churn, spend" in answer.json["error"]["hint"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"rows": [ROW]},
        {"instances": [ROW], "inputs": [ROW]},
        {"instances": []},
        {"instances": {}},
        {"instances": [ROW], "params": 7},
        {"instances": [ROW], "extra": 7},
        {"instances": [[1, 2]]},
        {"dataframe_records": [1]},
        {"dataframe_split": {"data": [[1]]}},
        {"dataframe_split": {"columns": ["age"], "data": [[1, 2]]}},
        {"dataframe_split": {"columns": [7], "data": [[1]]}},
        {"inputs": {"age": [1, 2], "income": [1]}},
        {"inputs": {"age": [1]}},
    ],
)
def test_bodies_of_no_form_are_refused(server: Server, body: object) -> None:
    answer = server.ask("POST", WHERE, body)

    assert answer.status in (400, 422)
    assert answer.json["error"]["code"].startswith("TM-DATA")


@pytest.mark.parametrize("raw", [b"", b"age,income\n1\n", b'age\n"open', b"\xff\xfe", b"age,income,region,since\n"])
def test_csv_that_is_none_is_refused(server: Server, raw: bytes) -> None:
    assert server.ask("POST", WHERE, raw=raw, headers={"Content-Type": "text/csv"}).status in (400, 422)


def test_mlflows_own_client_is_answered(server: Server) -> None:
    import pandas as pd

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the client's own package, when it is loaded
        from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    rows = pd.DataFrame([{"age": 41.0, "income": 52.5}, {"age": 3.0, "income": 99.0}])
    plain = server.predict({"rows": rows.to_dict("records")}, name="spend").json["predictions"]

    class Client(ScoringServerClient):
        """It names no deployment by itself: the address does."""

        def __init__(self) -> None:  # the one of the base knows no types
            self.url_prefix = f"http://127.0.0.1:{server.port}"

    client: Any = Client()
    client.wait_server_ready(timeout=10)
    client.url_prefix += "/invocations?model=spend#"
    found = client.invoke(rows)

    assert found.get_predictions()[0].tolist() == [one["prediction"] for one in plain]
    assert json.loads(found.to_json())["predictions"] == [one["prediction"] for one in plain]
