"""Model cards of real versions: true figures, honest limits, human words, and nothing taken for markup."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml  # type: ignore[import-untyped]
from scipy.stats import binomtest
from tests.registry.test_documents import read
from tests.runner.conftest import MODEL, write_visits

from tidemill.core.errors import NotFoundError, SourceError
from tidemill.project import Project, open_project
from tidemill.registry.aliases import set_alias
from tidemill.registry.card_limits import limits
from tidemill.runner.card import card_facts
from tidemill.runner.card_figures import calibration, share
from tidemill.warehouse.control.database import to_json
from tidemill.warehouse.control.deployments import GateResult, add_deployment, save_gates

NOISY = MODEL.replace("SELECT * EXCLUDE (id)", "SELECT * REPLACE (bought = (hash(id) % 5 > 0) AS bought)")
EVIL = "<script>alert(1)</script>"
SECTIONS = [
    "Intended use",
    "Metrics",
    "Slices and groups",
    "What it goes by",
    "Limits",
    "Data",
    "Features",
    "Model details",
    "Gates and deployments",
    "Ethical considerations",
    "Reproduce",
]


def write_model(root: Path, text: str) -> None:
    (root / "sql" / "model.sql").write_text(text)


def headings(card: str) -> list[str]:
    return [line.removeprefix("## ") for line in card.splitlines() if line.startswith("## ")]


@pytest.fixture
def noisy(project: Project, root: Path) -> Project:
    """A model that is often wrong."""
    write_model(root, NOISY)
    project.run()
    return project


def test_a_card_has_its_sections_and_the_figures_of_ml_evaluate(noisy: Project) -> None:
    card = noisy.card("buyers")

    metrics = noisy.model("buyers").evaluate()
    facts = card_facts(noisy.stations, "buyers")
    assert headings(card) == SECTIONS
    assert "Calibration of true" in card
    assert "| classes | false, true |" in card
    assert facts.figures is not None
    assert {one.metric: one.value for one in facts.figures.metrics} == pytest.approx(metrics)
    assert all(one.low is not None and one.low <= one.value <= (one.high or 0) for one in facts.figures.metrics)
    front = yaml.safe_load(card.split("---\n")[1])
    (model,) = front["model-index"]
    values = {one["type"]: one["value"] for one in model["results"][0]["metrics"]}
    assert values == pytest.approx(metrics)
    assert front["datasets"] == ["features"]
    assert front["pipeline_tag"] == "tabular-classification"


def test_slices_and_groups_are_those_that_a_deployment_declares(noisy: Project, root: Path) -> None:
    noisy.close()
    settings = '[deployments.shop]\nmodel = "BUYERS"\n[deployments.shop.gates]\n'
    settings += 'slices = ["country", "pages"]\ngroups = ["Country", "age"]\nslice_min_rows = 30\n'
    (root / "tidemill.toml").write_text(settings)

    with open_project(root) as project:
        facts = card_facts(project.stations, "buyers")
        card = project.card("buyers")

    assert facts.figures is not None
    countries = [part for part in facts.figures.slices if part.column == "country"]
    assert {part.value for part in countries} == {"NL", "DE", "FR"}
    assert sum(part.rows for part in countries) == facts.figures.total == 120
    assert {len(part.figures) for part in facts.figures.slices if part.rows < 30} <= {0}
    assert "too few rows" in card
    assert set(facts.figures.groups[0].figures) == {"positive calls", "true positive rate", "false positive rate"}
    assert "not among the columns of the training query: age" in card
    assert "No protected groups are declared" not in card


def test_a_card_asks_for_slices_in_the_sections_of_the_deployments_of_its_model(noisy: Project, root: Path) -> None:
    noisy.close()
    (root / "tidemill.toml").write_text('[deployments.shop]\nmodel = "buyers"\n')

    with open_project(root) as project:
        card = project.card("buyers")

    assert "`slices` and `groups` in `[deployments.shop.gates]` of tidemill.toml" in card
    assert "deployments.buyers" not in card


def test_what_was_not_looked_at_stands_among_the_limits(noisy: Project) -> None:
    found = " ".join(limits(card_facts(noisy.stations, "buyers")))

    assert "Only 120 rows were held out" in found
    assert "No protected groups are declared" in found
    assert "No gates were run on this version" in found
    assert "how well the model does on later rows was not evaluated" in found
    assert "Never NULL in training, so answers for rows where they are NULL were not evaluated: id, pages" in found


def test_nulls_and_missing_evaluation_rows_are_said(project: Project, root: Path) -> None:
    query = "SELECT nullif(pages, 3) AS pages, CAST(NULL AS VARCHAR) AS empty, bought FROM features"
    text = MODEL.replace("SELECT * EXCLUDE (id) FROM features", query)
    write_model(root, text.replace("OPTIONS (", "OPTIONS (data_split_method = 'NO_SPLIT', "))
    project.run()

    card = project.card("buyers")

    assert "> **Note:** Nothing was held out" in card
    assert "NULL in all training rows, so the model learnt nothing of them: empty" in card
    assert "NULL in part of the training rows: pages (9.2%)" in card


def test_gates_and_their_overrides_show_for_the_life_of_the_version(noisy: Project) -> None:
    results = [
        GateResult(gate="sanity", status="pass", summary="all is well"),
        GateResult(gate="slices", status="fail", summary="country = NL is worse"),
    ]
    with noisy.db.write() as tx:
        add_deployment(tx, "shop", "buyers")
        save_gates(tx, "shop", 1, results, override=("ada", "known and accepted"))

    card = noisy.card("buyers")

    note = "> **Note:** Gate **slices** of deployment shop said fail and was overridden by ada: known and accepted"
    assert note in card
    assert "| slices | fail | country = NL is worse | ada: known and accepted |" in card
    assert "Gate slices said fail: country = NL is worse" in card
    assert "No gates were run" not in card


def test_human_words_are_merged_in_and_asked_for_where_they_miss(noisy: Project, root: Path) -> None:
    before = noisy.card("buyers")
    (root / "cards").mkdir()
    (root / "cards" / "buyers.md").write_text(
        f"Ranks visitors.\n\n## License\nmit\n\n## Ethical considerations\n{EVIL} none\n\n## Team\nShop\n"
    )

    after = noisy.card("buyers")
    page = noisy.card("buyers", html=True)

    assert "write it under `## Intended use` in `cards/buyers.md`" in before
    assert "Ranks visitors." in after
    assert yaml.safe_load(after.split("---\n")[1])["license"] == "mit"
    assert headings(after)[-2:] == ["Team", "Reproduce"]
    assert "script" not in read(page).seen


def test_a_file_of_words_that_is_not_utf8_is_refused_by_name(noisy: Project, root: Path) -> None:
    (root / "cards").mkdir()
    (root / "cards" / "buyers.md").write_bytes(b"caf\xe9")

    with pytest.raises(SourceError, match=r"buyers\.md cannot be read"):
        noisy.card("buyers")


def test_classes_columns_and_values_with_markup_in_them_stay_text(project: Project, root: Path) -> None:
    query = f"""SELECT CASE WHEN bought THEN '{EVIL}' ELSE 'a|b' END AS bought, pages AS "{EVIL}",
      CASE country WHEN 'NL' THEN '{EVIL}' ELSE country END AS country FROM features"""
    write_model(root, MODEL.replace("SELECT * EXCLUDE (id) FROM features", query))
    (root / "tidemill.toml").write_text('[deployments.buyers.gates]\nslices = ["country"]\n')
    project.close()

    with open_project(root) as opened:
        opened.run()
        page, text = opened.card("buyers", html=True), opened.card("buyers")

    tags = read(page)
    assert "script" not in tags.seen
    assert not any(name.startswith("on") for name in tags.attributes)
    assert EVIL not in page
    body = text.split("---\n", 2)[2].split("```")[0]
    assert "<script" not in body


def test_a_regression_and_more_classes_have_cards_too(project: Project, root: Path) -> None:
    write_model(
        root,
        "CREATE MODEL pages_seen OPTIONS (model_type = 'LINEAR_REG', input_label_cols = ['pages']) AS"
        " SELECT country, bought, pages + id % 3 AS pages FROM features;"
        "CREATE MODEL land OPTIONS (model_type = 'BOOSTED_TREE_CLASSIFIER', input_label_cols = ['country']) AS"
        " SELECT pages, bought, country FROM features;",
    )
    project.run()

    numbers, classes = project.card("pages_seen"), project.card("land")

    assert "| mean_absolute_error |" in numbers
    assert "**Predictions and labels**" in numbers
    assert "Predicts `pages` from 2 columns" in numbers
    assert "| country | DE | FR | NL |" in classes
    assert "ROC curve" not in classes
    assert "svg" in read(project.card("pages_seen", html=True)).seen


def test_a_card_is_written_even_when_its_rows_are_gone(noisy: Project) -> None:
    with noisy.db.write() as tx:
        tx.execute("UPDATE model_versions SET lineage = :old", old=to_json({"statement": "CREATE MODEL buyers"}))

    card = noisy.card("buyers")

    assert (
        "> **Note:** The figures of this card are those recorded in training: what model buyers version 1 read" in card
    )
    assert "| roc_auc |" in card
    assert "This version cannot be trained again" in card


def test_old_versions_and_aliases_have_their_own_cards(noisy: Project, root: Path) -> None:
    set_alias(noisy.db, "buyers", "champion", 1, who="ada")
    write_visits(root, rows=700)
    noisy.run()

    assert "# buyers, version 1" in noisy.card("buyers", "champion")
    assert "# buyers, version 2" in noisy.card("buyers")
    assert noisy.card("buyers", 1) == noisy.card("buyers", "1")
    with pytest.raises(NotFoundError, match="no alias other"):
        noisy.card("buyers", "other")


def test_calibration_bins_hold_all_rows_and_their_own_shares() -> None:
    predicted = np.linspace(0, 1, 101)
    positive = predicted > 0.5

    bins = calibration(positive, predicted, bins=4)

    assert [one.rows for one in bins] == [26, 25, 25, 25]
    assert [one.observed for one in bins] == [0.0, 0.0, 1.0, 1.0]
    assert bins[0].predicted == pytest.approx(predicted[:26].mean())
    assert calibration(positive[:0], predicted[:0]) == ()


def test_a_share_has_wilson_s_interval() -> None:
    found = share(np.array([True] * 3 + [False] * 42), 0.95)

    expected = binomtest(3, 45).proportion_ci(method="wilson")
    assert found == pytest.approx((3 / 45, expected.low, expected.high), abs=1e-9)
    assert share(np.array([], dtype=bool), 0.95) is None
