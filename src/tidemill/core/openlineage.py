"""``[openlineage]`` of tidemill.toml: where a run's lineage events go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tidemill.core.entries import Entry, Place, section_values
from tidemill.core.errors import SettingsError

KEY_VARIABLE = "OPENLINEAGE_API_KEY"

OPENLINEAGE: tuple[Entry, ...] = (
    Entry(
        name="file",
        default="",
        doc="A file that events are appended to, one JSON object a line; seen from the project's folder.",
    ),
    Entry(name="url", default="", doc="A server that events are posted to, such as http://127.0.0.1:5000 of Marquez."),
    Entry(name="endpoint", default="api/v1/lineage", doc="The path on the server."),
    Entry(
        name="api_key_variable",
        default=KEY_VARIABLE,
        doc="The environment variable with the server's key, which is sent as a bearer token where it is set.",
    ),
    Entry(
        name="namespace",
        default="",
        doc="The namespace of jobs, tables and models; tidemill://NAME with the project's name when left out.",
    ),
    Entry(name="timeout_seconds", default=5.0, low=0.1, high=60, doc="How long one request to the server may take."),
    Entry(
        name="wait_seconds",
        default=10.0,
        low=0,
        high=600,
        doc="How long the end of a run waits for events that are still on their way.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenLineageSettings:
    """``[openlineage]``, checked."""

    file: str
    url: str
    endpoint: str
    api_key_variable: str
    namespace: str
    timeout_seconds: float
    wait_seconds: float

    @property
    def wanted(self) -> bool:
        """Whether events go anywhere."""
        return bool(self.file or self.url)


def openlineage_settings(given: Any, place: Place = lambda _: None) -> OpenLineageSettings:
    """Check ``[openlineage]``."""
    values = section_values("openlineage", given, OPENLINEAGE, place)
    url = values["url"]
    if url and not url.startswith(("http://", "https://")):
        raise SettingsError(
            f"openlineage.url must begin with http:// or https://; got {url!r}",
            where=place("openlineage.url"),
            hint="events for a file: set openlineage.file",
        )
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise SettingsError(
            "openlineage.url must not hold a user or a password",
            where=place("openlineage.url"),
            hint="put the key into the environment variable that openlineage.api_key_variable names",
        )
    return OpenLineageSettings(**values)
