"""Models: versions, names, metrics, trainings, backtests, and the batches they scored."""

from __future__ import annotations

from tidemill.warehouse.control.system.table import SystemTable

_MODEL = "JOIN models ON models.model_key = {0}.model_key"

MODELS: dict[str, SystemTable] = {
    "models": SystemTable(
        about="Each model that is not dropped, at its current version.",
        columns={
            "name": "text",
            "version": "int",
            "model_type": "text",
            "created_at": "time",
            "updated_at": "time",
            "evaluated_on": "text",
            "rows_train": "int",
            "rows_eval": "int",
            "digest": "text",
            "run_id": "text",
        },
        sql="SELECT models.name, models.current_version AS version, v.model_type, models.created_at, models.updated_at,"
        " v.evaluated_on, v.rows_train, v.rows_eval, v.digest, v.run_id FROM models JOIN model_versions v"
        " ON v.model_key = models.model_key AND v.version = models.current_version"
        " WHERE models.dropped_at IS NULL ORDER BY models.model_key",
    ),
    "model_versions": SystemTable(
        about="Each version of each model, also of dropped ones: options, lineage, digest, files.",
        columns={
            "name": "text",
            "version": "int",
            "model_type": "text",
            "created_at": "time",
            "dropped_at": "time",
            "evaluated_on": "text",
            "rows_train": "int",
            "rows_eval": "int",
            "seconds": "float",
            "bytes": "int",
            "digest": "text",
            "fingerprint": "text",
            "run_id": "text",
            "step": "text",
            "options": "json",
            "lineage": "json",
            "warnings": "json",
            "files": "json",
        },
        sql="SELECT * FROM model_versions ORDER BY model_key, version",
    ),
    "aliases": SystemTable(
        about="The names that people gave to versions.",
        columns={"model": "text", "alias": "text", "version": "int", "set_by": "text", "updated_at": "time"},
        sql=f"SELECT models.name AS model, model_aliases.* FROM model_aliases {_MODEL.format('model_aliases')}"
        " ORDER BY model_aliases.model_key, alias",
    ),
    "metrics": SystemTable(
        about="Each metric of each model version, one row a metric.",
        columns={
            "model": "text",
            "version": "int",
            "metric": "text",
            "value": "float",
            "evaluated_on": "text",
            "run_id": "text",
            "created_at": "time",
        },
        sql=f"SELECT models.name AS model, metrics.* FROM metrics {_MODEL.format('metrics')}"
        " ORDER BY metrics.model_key, version, metric",
    ),
    "training_info": SystemTable(
        about="Each iteration of each training.",
        columns={
            "model": "text",
            "version": "int",
            "iteration": "int",
            "loss": "float",
            "eval_loss": "float",
            "learning_rate": "float",
            "duration_ms": "int",
        },
        sql=f"SELECT models.name AS model, training_info.* FROM training_info {_MODEL.format('training_info')}"
        " ORDER BY training_info.model_key, version, iteration",
    ),
    "backtests": SystemTable(
        about="Each backtest: what was asked, and what a model's age and the pace of training cost. `enough` is the"
        " rarest pace, in periods, before one that loses something measurable, or may lose what matters: 0 for training"
        " once, NULL where that cannot be told.",
        columns={
            "backtest": "int",
            "model": "text",
            "who": "text",
            "metric": "text",
            "every_s": "float",
            "train_window": "text",
            "time_column": "text",
            "known_column": "text",
            "trainings": "int",
            "first_cut": "time",
            "last_cut": "time",
            "enough": "int",
            "said": "json",
            "ages": "json",
            "paces": "json",
            "notes": "json",
            "training_s": "float",
            "seconds": "float",
            "created_at": "time",
        },
        sql="SELECT * FROM backtests ORDER BY backtest",
    ),
    "backtest_scores": SystemTable(
        about="Each period that a training of a backtest was tested on, at which age, in periods.",
        columns={
            "backtest": "int",
            "cut": "time",
            "period_start": "time",
            "age": "int",
            "rows_tested": "int",
            "value": "float",
        },
        sql="SELECT * FROM backtest_scores ORDER BY backtest, cut, age",
    ),
    "scoring_jobs": SystemTable(
        about="Each batch that was scored: by which version, from what, to where, by whom, how it ended.",
        columns={
            "job_id": "text",
            "kind": "text",
            "status": "text",
            "model": "text",
            "version": "int",
            "digest": "text",
            "input": "text",
            "input_version": "json",
            "output": "text",
            "output_version": "json",
            "rows": "int",
            "who": "text",
            "code_version": "text",
            "started_at": "time",
            "finished_at": "time",
            "error": "json",
        },
        sql="SELECT scoring_jobs.*, row_count AS rows FROM scoring_jobs ORDER BY started_at, job_id",
    ),
    "scoring_chunks": SystemTable(
        about="The chunks of each batch: which rows they hold, where they were put, when they were done.",
        columns={
            "job_id": "text",
            "chunk": "int",
            "first_row": "int",
            "rows": "int",
            "place": "json",
            "finished_at": "time",
        },
        sql="SELECT scoring_chunks.*, row_count AS rows FROM scoring_chunks ORDER BY job_id, chunk",
    ),
}
