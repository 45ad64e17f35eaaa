"""Small real models on a real lake, trained once per test run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.runner.functions.function_bench import TOY, Bench

from tidemill.registry.versions import LoadedModel
from tidemill.warehouse.duckdb.lake import open_lake


@pytest.fixture(scope="session")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """An empty bench."""
    folder = tmp_path_factory.mktemp("bench")
    lake = open_lake(folder / ".tidemill", search_path=folder, threads=2)
    with lake.session() as session:
        yield Bench(session=session)
    lake.close()


@pytest.fixture(scope="session")
def price(bench: Bench) -> LoadedModel:
    """A linear regression of price on size, colour and day."""
    return bench.train("price", "LINEAR_REG", f"SELECT size, colour, day, price FROM {TOY}", "price")


@pytest.fixture(scope="session")
def sold(bench: Bench) -> LoadedModel:
    """A logistic regression of two classes."""
    return bench.train("sold", "LOGISTIC_REG", f"SELECT size, colour, sold FROM {TOY}", "sold", max_iterations=30)


@pytest.fixture(scope="session")
def grade(bench: Bench) -> LoadedModel:
    """A logistic regression of three whole-numbered classes."""
    return bench.train(
        "grade", "LOGISTIC_REG", f"SELECT size, colour, grade FROM {TOY}", "grade", enable_global_explain=True
    )


@pytest.fixture(scope="session")
def trees(bench: Bench) -> LoadedModel:
    """Boosted trees of two classes."""
    return bench.train(
        "trees",
        "BOOSTED_TREE_CLASSIFIER",
        f"SELECT size, colour, day, sold FROM {TOY}",
        "sold",
        max_iterations=5,
        enable_global_explain=True,
    )


@pytest.fixture(scope="session")
def penguins(shared_data: Path) -> str:
    """SQL of the public penguins as BigQuery has them: no year, and one sex written as a dot."""
    file = str(shared_data / "penguins" / "penguins.csv").replace("'", "''")
    return (
        "(SELECT species, island, bill_length_mm AS culmen_length_mm, bill_depth_mm AS culmen_depth_mm, "
        "flipper_length_mm, body_mass_g, CASE WHEN species = 'Gentoo' AND bill_length_mm = 44.5 AND "
        "bill_depth_mm = 15.7 AND body_mass_g = 4875 THEN '.' ELSE upper(sex) END AS sex "
        f"FROM read_csv('{file}', nullstr = 'NA'))"
    )


@pytest.fixture(scope="session")
def body_mass(bench: Bench, penguins: str) -> LoadedModel:
    """The linear regression of the BigQuery ML tutorial."""
    sql = f"SELECT * FROM {penguins} WHERE body_mass_g IS NOT NULL"
    return bench.train("body_mass", "LINEAR_REG", sql, "body_mass_g", enable_global_explain=True)


@pytest.fixture(scope="session")
def forest(bench: Bench) -> LoadedModel:
    """A random forest of three classes."""
    sql = f"SELECT size, colour, day, grade FROM {TOY}"
    return bench.train("forest", "RANDOM_FOREST_CLASSIFIER", sql, "grade", num_parallel_tree=8)


@pytest.fixture(scope="session")
def boosted(bench: Bench) -> LoadedModel:
    """Boosted trees of a number."""
    sql = f"SELECT size, colour, day, price FROM {TOY}"
    return bench.train("boosted", "BOOSTED_TREE_REGRESSOR", sql, "price", max_iterations=8)
