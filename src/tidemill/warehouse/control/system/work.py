"""What is done by the clock, and the processes that are up."""

from __future__ import annotations

from tidemill.warehouse.control.system.table import SystemTable

WORK: dict[str, SystemTable] = {
    "schedules": SystemTable(
        about="Each schedule as the schedulers saw it last, when it comes next, and what became of its last slot.",
        columns={
            "name": "text",
            "do": "text",
            "select": "json",
            "cron": "text",
            "zone": "text",
            "catch_up": "text",
            "enabled": "bool",
            "since": "time",
            "next_slot": "time",
            "last_slot": "time",
            "last_status": "text",
            "last_said": "text",
        },
        sql='SELECT schedules.*, schedules.action AS "do", selectors AS "select", slots.slot AS last_slot,'
        " slots.status AS last_status, slots.said AS last_said FROM schedules LEFT JOIN slots"
        " ON slots.schedule_key = schedules.schedule_key AND slots.slot ="
        " (SELECT max(s.slot) FROM slots s WHERE s.schedule_key = schedules.schedule_key)"
        " ORDER BY schedules.schedule_key",
    ),
    "slots": SystemTable(
        about="Each slot of each schedule that something was done about: how it ended, and how many before it were"
        " not.",
        columns={
            "schedule": "text",
            "slot": "time",
            "do": "text",
            "status": "text",
            "attempt": "int",
            "passed_over": "int",
            "said": "text",
            "run_id": "text",
            "started_at": "time",
            "finished_at": "time",
            "again_at": "time",
            "host": "text",
            "pid": "int",
            "error": "json",
        },
        sql='SELECT slots.*, name AS schedule, action AS "do" FROM slots ORDER BY slot, schedule_key',
    ),
    "parts": SystemTable(
        about="Each process that is up. One that was killed leaves its row for a day.",
        columns={
            "part": "text",
            "host": "text",
            "pid": "int",
            "about": "text",
            "started_at": "time",
            "beat_at": "time",
        },
        sql="SELECT * FROM parts ORDER BY part, host, pid",
    ),
    "erasures": SystemTable(
        about="Each request to erase somebody: the columns that told whose rows were meant, what was taken out of which"
        " table (counted once for each file), and what is awaited before it is proved.",
        columns={
            "number": "int",
            "status": "text",
            "columns": "json",
            "who": "text",
            "why": "text",
            "asked_at": "time",
            "due_at": "time",
            "removed_at": "time",
            "proved_at": "time",
            "removed": "json",
            "waiting": "json",
        },
        sql="SELECT * FROM erasures ORDER BY number",
    ),
    "erased_versions": SystemTable(
        about="Versions of models that were trained on rows which were erased since.",
        columns={"erasure": "int", "model": "text", "version": "int", "tables": "json"},
        sql="SELECT e.number AS erasure, v.* FROM erased_versions v JOIN erasures e ON e.erasure_id = v.erasure_id"
        " ORDER BY e.number, v.model_key, v.version",
    ),
    "troubles": SystemTable(
        about="What parts could not do when they tried last: for a deployment, or ('' in about) because the process has"
        " ended. A row goes when it is done again.",
        columns={"part": "text", "about": "text", "said": "text", "since": "time"},
        sql="SELECT * FROM troubles ORDER BY part, about",
    ),
}
