"""What a monitor cannot do is told, and the rest of its pass is done."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import numpy as np
import pytest
from tests.watch.world import BEGIN, DAY, Shop

from tidemill.cli.main import run_command
from tidemill.core.errors import SettingsError
from tidemill.runner.watch.names import wrong_names
from tidemill.serving.counters import SEPARATOR

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
    def singular(*_: object, **__: object) -> None:
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("tidemill.runner.watch.versions.learn_estimating", singular)
    ids = shop.answer(shop.visitors(150), BEGIN)
    shop.label({id_: shop.truth[id_] for id_ in ids}, BEGIN + HOUR)
    (found,) = shop.monitor(BEGIN + DAY + HOUR)

    assert found.error is not None
    assert {"quality", "traffic"} <= families(shop).keys()
    assert run_command(["status"]) == 0
    assert "LinAlgError: Singular matrix" in capsys.readouterr().out.partition("TROUBLES")[2]


def test_columns_and_slices_that_there_are_not_are_told_and_the_rest_is_watched(shop: Shop) -> None:
    toml = shop.root / "tidemill.toml"
    toml.write_text(toml.read_text() + 'columns = ["pagse"]\nslices = ["nowhere", "device"]\nslice_min_rows = 10\n')
    shop.reopen()
    ids = shop.answer(shop.visitors(150), BEGIN)
    shop.label({id_: shop.truth[id_] for id_ in ids}, BEGIN + HOUR)

    (found,) = shop.monitor(BEGIN + DAY + HOUR)

    assert found.error is not None
    assert found.error.message == (
        "deployments.buyers.monitor.columns names the column pagse, which the champion does not read"
    )
    assert found.error.hint == "did you mean pages?"
    watched = {row["column"] for row in shop.query("SELECT \"column\" FROM tidemill.drift WHERE family = 'missing'")}
    assert {"pages", "country"} <= watched
    slices = {row["slice"] for row in shop.query("SELECT slice FROM tidemill.performance WHERE slice <> ''")}
    assert slices == {"device = desk", "device = phone"}

    (trouble,) = shop.project.overview()["troubles"]
    (later,) = shop.monitor(BEGIN + DAY + 2 * HOUR)  # nothing is measured, and the names are as wrong as before
    assert (later.windows, later.labelled) == ((), ())
    assert shop.project.overview()["troubles"] == [trouble]
    assert [
        one.message.split(", ")[0]
        for one in wrong_names(shop.project.stations, shop.project.settings.deployments["buyers"])
    ] == [
        "deployments.buyers.monitor.columns names the column pagse",
        "deployments.buyers.monitor.slices names the column nowhere",
    ]

    # From the first answers on that a server logs with the column it is a slice, whatever came before.
    shop.answer([{**one, "nowhere": "here"} for one in shop.visitors(5)], BEGIN + DAY + HOUR)
    toml.write_text(toml.read_text().replace('"device"]', '"DEVICE"]\nignore = ["year"]'))
    shop.reopen()
    (later,) = shop.monitor(BEGIN + DAY + 3 * HOUR)
    assert [later.error and later.error.message.split(".")[-1], *later.notes] == [
        "columns names the column pagse, which the champion does not read",
        "deployments.buyers.monitor.ignore names the column year, which the champion does not read",
    ]


def test_settings_that_are_edited_count_for_who_stays_and_wrong_ones_do_not(shop: Shop) -> None:
    toml, project = shop.root / "tidemill.toml", shop.project
    before = toml.read_text()
    _ = project.stations
    assert not project.read_again()

    toml.write_text(before + "min_rows = 7\n")
    assert project.read_again()
    assert project.stations.settings.deployments["buyers"].monitor.min_rows == 7

    toml.write_text(before + "min_rows = 0\n")
    with pytest.raises(SettingsError, match="min_rows"):
        project.read_again()
    assert not project.read_again()
    assert project.stations.settings.deployments["buyers"].monitor.min_rows == 7


def test_refused_requests_are_an_error_and_each_is_counted_in_one_window(shop: Shop) -> None:
    for day in (0, 1):
        shop.answer(shop.visitors(150), BEGIN + day * DAY)
    shop.monitor(BEGIN)
    counted(shop, {200: 0, 422: 1}, BEGIN)
    counted(shop, {200: 300, 422: 101}, BEGIN + 2 * DAY + HOUR)

    rows = shop.query(
        "SELECT metric, value, rows FROM tidemill.performance WHERE family = 'errors' ORDER BY metric, window_start"
    )

    shares = [row for row in rows if row["metric"] == "refused_share"]
    assert len(shares) == 2
    assert sum(row["rows"] for row in shares) == pytest.approx(400 * 48 / 49, abs=3)
    assert all(row["value"] == pytest.approx(0.25, abs=0.01) for row in shares)
    assert any("refused_share" in alert.headline for alert in shop.project.alerts())
    assert all(row["value"] == 0 for row in rows if row["metric"] == "error_share")


def counted(shop: Shop, requests: dict[int, int], at: datetime) -> None:
    """What a server would have counted by a time, when a monitor looked."""
    folder = shop.root / ".tidemill" / "serve" / "counters"
    folder.mkdir(parents=True, exist_ok=True)
    told = {f"buyers{SEPARATOR}{status}": count for status, count in requests.items()}
    (folder / "0.json").write_text(json.dumps({"requests": told}))
    shop.monitor(at)
