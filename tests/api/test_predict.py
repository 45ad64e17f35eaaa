from __future__ import annotations

from tests.api.conftest import OTHER, ROW, Server


def test_rows_are_answered_with_ids_and_probabilities(server: Server) -> None:
    answer = server.predict({"rows": [ROW, OTHER]})

    assert answer.status == 200
    told = answer.json
    assert (told["model"], told["version"]) == ("churn", 1)
    first, second = told["predictions"]
    assert first["id"].endswith("-0")
    assert second["id"] == first["id"][:-1] + "1"
    assert set(first["probabilities"]) == {"no", "yes"}
    assert abs(sum(first["probabilities"].values()) - 1) < 1e-6
    assert first["prediction"] == max(first["probabilities"], key=first["probabilities"].get)
