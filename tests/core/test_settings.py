"""tidemill.toml: typed, checked, and helpful when it is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from tidemill.core.errors import SettingsError
from tidemill.core.settings import SETTINGS, read_settings


def project(folder: Path, text: str) -> Path:
    (folder / "tidemill.toml").write_text(text)
    return folder


def test_an_empty_file_gives_the_defaults(tmp_path: Path) -> None:
    settings = read_settings(project(tmp_path, ""), {})

    assert settings.dialect == "duckdb"
    assert settings.name == tmp_path.name


def test_an_unknown_key_is_refused_with_a_suggestion(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings(project(tmp_path, 'name = "x"\ndialct = "bigquery"\n'), {})

    assert raised.value.hint == "did you mean dialect?"
    assert raised.value.where is not None
    assert raised.value.where.line == 2


@pytest.mark.parametrize("setting", [row for row in SETTINGS if isinstance(row.default, int)], ids=lambda row: row.name)
def test_every_number_below_its_bound_is_refused(tmp_path: Path, setting: object) -> None:
    name, low = setting.name, setting.low  # type: ignore[attr-defined]

    with pytest.raises(SettingsError, match=name):
        read_settings(project(tmp_path, f"{name} = {low - 1}\n"), {})


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    settings = read_settings(project(tmp_path, "threads = 1\n"), {"TIDEMILL_THREADS": "3"})

    assert settings.threads == 3


def test_a_folder_without_the_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as raised:
        read_settings(tmp_path, {})

    assert "tidemill init" in raised.value.hint


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tidemill.toml").write_bytes(b'name = "caf\xe9"')

    with pytest.raises(SettingsError, match="not UTF-8"):
        read_settings(tmp_path, {})
