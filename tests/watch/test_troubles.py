"""What a monitor cannot do is told, and the rest of its pass is done."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from tests.watch.world import BEGIN, DAY, Shop

from tidemill.cli.main import run_command

HOUR = timedelta(hours=1)


def families(shop: Shop) -> dict[str, int]:
    found = shop.query("SELECT family, count(DISTINCT window_start) AS n FROM tidemill.performance GROUP BY ALL")
    return {row["family"]: row["n"] for row in found}


@pytest.mark.parametrize(("nth", "windows", "quality"), [(1, 1, 1), (3, 2, 1)])
def test_an_unexpected_error_ends_its_piece_of_a_pass_only_and_the_next_pass_does_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, nth: int, windows: int, quality: int
) -> None:
    ids = [id_ for day in (0, 1) for id_ in shop.answer(shop.visitors(150), BEGIN + day * DAY)]
    shop.label({id_: shop.truth[id_] for id_ in ids}, BEGIN + DAY + 2 * HOUR)
    monkeypatch.setattr("tidemill.core.faults._passes", {})
    monkeypatch.setenv("TIDEMILL_FAULT", f"monitor.measured:error:{nth}")

    (found,) = shop.monitor(BEGIN + 2 * DAY + HOUR)

    assert found.error is not None
    assert found.error.code == "TM-INTERNAL"
    assert "Traceback" in found.error.facts["traceback"]
    assert families(shop)["traffic"] == windows
    assert families(shop)["quality"] >= quality
    (trouble,) = shop.project.overview()["troubles"]
    assert (trouble["part"], trouble["about"]) == ("monitor", "buyers")
    assert trouble["said"].startswith("buyers: ")

    monkeypatch.delenv("TIDEMILL_FAULT")
    (again,) = shop.monitor(BEGIN + 2 * DAY + 2 * HOUR)

    assert again.error is None
    assert families(shop)["traffic"] == families(shop)["quality"] == 2
    assert shop.project.overview()["troubles"] == []


def test_quality_is_measured_where_estimates_cannot_be_learnt_and_the_page_says_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def singular(*_: object) -> None:
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("tidemill.runner.watch.monitor.learn_estimating", singular)
    ids = shop.answer(shop.visitors(150), BEGIN)
    shop.label({id_: shop.truth[id_] for id_ in ids}, BEGIN + HOUR)
    (found,) = shop.monitor(BEGIN + DAY + HOUR)

    assert found.error is not None
    assert {"quality", "traffic"} <= families(shop).keys()
    assert run_command(["status"]) == 0
    assert "LinAlgError: Singular matrix" in capsys.readouterr().out.partition("TROUBLES")[2]
