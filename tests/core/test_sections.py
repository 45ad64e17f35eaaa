"""[server] and [deployments.NAME] in tidemill.toml: every wrong value is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidemill.core.entries import Entry
from tidemill.core.errors import SettingsError
from tidemill.core.maintain import MAINTAIN
from tidemill.core.sections import DEPLOYMENT, PARTS, SERVER
from tidemill.core.settings import Settings, read_settings

ROWS = [
    *(("server", entry) for entry in SERVER),
    *(("maintain", entry) for entry in MAINTAIN),
    *(("deployments.d", entry) for entry in DEPLOYMENT),
    *((f"deployments.d.{part}", entry) for part, entries in PARTS.items() for entry in entries),
]


def read(folder: Path, text: str) -> Settings:
    (folder / "tidemill.toml").write_text(text)
    return read_settings(folder, {})


def test_a_deployment_needs_no_setting_at_all(tmp_path: Path) -> None:
    one = read(tmp_path, "[deployments.churn]\n").deployments["churn"]

    assert (one.model, one.log, one.key) == ("churn", "buffered", "")
    assert one.rollout.shares == (0.01, 0.05, 0.25, 0.5)


def test_what_is_given_is_taken(tmp_path: Path) -> None:
    text = """
    [server]
    queue = 8
    [deployments.churn]
    model = "churn_model"
    key = "customer_id"
    fallback = false
    [deployments.churn.rollout]
    shares = [0.1, 1e-2]
    """
    with pytest.raises(SettingsError, match="must grow"):
        read(tmp_path, text)

    settings = read(tmp_path, text.replace("[0.1, 1e-2]", "[0.1, 0.5]"))
    assert settings.server.queue == 8
    assert settings.deployments["churn"].fallback is False
    assert settings.deployments["churn"].rollout.shares == (0.1, 0.5)


@pytest.mark.parametrize(
    ("section", "entry"),
    [row for row in ROWS if row[1].default is not None],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_value_of_another_type_is_refused_where_it_stands(tmp_path: Path, section: str, entry: Entry) -> None:
    with pytest.raises(SettingsError, match=f"{section}.{entry.name} must be") as caught:
        read(tmp_path, f"[{section}]\n{entry.name} = {{}}\n")

    assert caught.value.where is not None
    assert (caught.value.where.line, caught.value.where.text) == (2, f"{entry.name} = {{}}")


@pytest.mark.parametrize(
    ("section", "entry"),
    [row for row in ROWS if row[1].low is not None],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_number_below_its_bound_is_refused(tmp_path: Path, section: str, entry: Entry) -> None:
    assert entry.low is not None
    value = f"[{entry.low - 1}]" if isinstance(entry.default, tuple) else f"{entry.low - 1}"

    with pytest.raises(SettingsError, match=entry.name):
        read(tmp_path, f"[{section}]\n{entry.name} = {value}\n")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[serverr]\n", "did you mean server?"),
        ("[server]\nhost = []\n", "did you mean hosts?"),
        ("[deployments.d]\nmodl = 'x'\n", "did you mean model?"),
        ("[deployments.d]\ngate = 1\n", "did you mean gates?"),
        ("[deployments.d.rollback]\nalfa = 1\n", "did you mean alpha?"),
    ],
)
def test_an_unknown_name_gets_a_suggestion_and_a_place(tmp_path: Path, text: str, hint: str) -> None:
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, text)

    assert caught.value.hint == hint
    assert caught.value.where is not None
    assert caught.value.where.line == text.count("\n")


@pytest.mark.parametrize("text", ["deployments = 1\n", "server = 1\n", "[deployments]\nchurn = 1\n"])
def test_a_section_that_is_no_table_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SettingsError, match="table"):
        read(tmp_path, text)
