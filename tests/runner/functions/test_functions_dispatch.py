"""Every supported table function has code, and nothing else has."""

from __future__ import annotations

import subprocess
import sys

from tidemill.runner.dispatch import TABLE_FUNCTIONS
from tidemill.sql.functions import supported_table_functions


def test_dispatch_and_the_table_of_functions_name_the_same_functions() -> None:
    assert set(TABLE_FUNCTIONS) == set(supported_table_functions())


def test_dispatch_alone_imports_nothing_heavy() -> None:
    code = (
        "import sys, tidemill.runner.dispatch, tidemill.core.rows, tidemill.runner.call\n"
        "print(sorted({'numpy', 'pyarrow', 'duckdb', 'xgboost', 'onnx', 'onnxruntime', 'sqlglot'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
