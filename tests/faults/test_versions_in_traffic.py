"""Models trained, replaced, swapped and dropped while they answer (reliability faults 27, 48 and 49)."""

from __future__ import annotations

import subprocess
import sys

import pytest
from tests.faults.conftest import ROWS, Servers, Shop
from tests.faults.traffic import expected, traffic
from tests.faults.versions import turned

from tidemill.core.errors import StateError
from tidemill.project import open_project
from tidemill.registry.versions import drop_model
from tidemill.warehouse.control.models import get_version, list_versions

TYPED = """
CREATE OR REPLACE MODEL visitors OPTIONS (model_type = 'LOGISTIC_REG', input_label_cols = ['bought'], l2_reg = {}) AS
SELECT pages, bought FROM visits
"""


def test_under_load_versions_are_swapped_without_a_failed_or_a_wrong_answer(shop: Shop, serve: Servers) -> None:
    # The third says no wherever the first says yes: an answer of one under the number of the other would show.
    third = turned(shop)
    answers = expected(shop, 1, 2, third)
    assert all(abs(one[1] + other[1] - 1) < 1e-6 for one, other in zip(answers[1], answers[third], strict=True))
    server = serve(shop, "--workers", "2")

    with traffic(server, answers, clients=4) as sent:
        for version in (2, third, 2, third, 1, third):
            shop.deploy(version)
            before = sent.by[version]
            while sent.by[version] < before + 30:
                sent.more(20)
        shop.roll_back()
        before = sent.by[1]
        while sent.by[1] < before + 30:
            sent.more(20)

    assert sent.failed == sent.wrong == []
    assert set(sent.by) == {1, 2, third}
    assert len(set(sent.ids)) == len(sent.ids)
    shop.require_whole()


def test_fault_48_a_model_replaced_while_it_answers_is_a_new_version_that_waits_to_be_deployed(
    shop: Shop, serve: Servers
) -> None:
    answers = expected(shop, 1)
    path = shop.root / "sql" / "buyers.sql"
    path.write_text(path.read_text().replace("l2_reg = 300", "l2_reg = 9"))
    server = serve(shop)

    with traffic(server, answers) as sent, open_project(shop.root) as project:
        assert project.run().status == "ok"
        assert get_version(shop.db, "buyers", None).version == 3
        sent.more(100)

    assert sent.failed == sent.wrong == []
    assert set(sent.by) == {1}


def test_fault_48_a_model_that_answers_is_not_dropped_and_answers_on(shop: Shop, serve: Servers) -> None:
    answers = expected(shop, 1)
    server = serve(shop)

    with traffic(server, answers) as sent:
        with pytest.raises(StateError, match="version 1 is the champion of deployment shop"):
            drop_model(shop.db, "buyers")
        sent.more(50)

    assert sent.failed == sent.wrong == []
    shop.require_whole()


REPLACE = """
import sys, tidemill
from tidemill.core.errors import BusyError

project = tidemill.open(sys.argv[1])
print("begin", flush=True)
sys.stdin.readline()
while True:
    try:
        project.sql(sys.argv[2])
    except BusyError as error:
        assert "process" in error.message
    else:
        break
"""


def test_fault_49_two_who_replace_a_model_at_once_make_two_versions_one_after_the_other(shop: Shop) -> None:
    both = [
        subprocess.Popen(
            [sys.executable, "-c", REPLACE, str(shop.root), TYPED.format(strength)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for strength in (1, 2)
    ]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == "begin\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    for one in both:
        one.communicate(timeout=120)

    assert [one.returncode for one in both] == [0, 0]
    versions = list_versions(shop.db, "visitors")
    assert [one.version for one in versions] == [2, 1]
    assert {one.options["l2_reg"] for one in versions} == {1, 2}
    assert get_version(shop.db, "visitors", None) == versions[0]
    shop.require_whole()


def test_fault_27_a_category_training_never_saw_is_scored_like_any_other_unseen_one(shop: Shop, serve: Servers) -> None:
    server = serve(shop)
    row = ROWS[0]

    answers = [
        server.predict({"rows": [row | {"country": country}]}, name="shop")
        for country in ("Atlantis", "", "NL ", "😀", "' OR 1=1 --", "n" * 10_000)
    ]
    known = server.predict({"rows": [row]}, name="shop").json["predictions"][0]["probabilities"]

    assert [one.status for one in answers] == [200] * 6
    found = [one.json["predictions"][0]["probabilities"] for one in answers]
    assert all(one == found[0] for one in found)
    assert found[0] != known
    with open_project(shop.root) as project:
        scored = project.model("buyers", 1).predict([row | {"country": "Atlantis"}]).to_arrow().to_pylist()
    assert {one["label"]: one["prob"] for one in scored[0]["predicted_bought_probs"]} == pytest.approx(
        {True: found[0]["true"], False: found[0]["false"]}, abs=1e-6
    )
