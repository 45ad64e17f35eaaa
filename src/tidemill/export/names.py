"""Names of deployments as other systems take them: DNS labels and image references."""

from __future__ import annotations

import re
from dataclasses import dataclass

from tidemill.core.digest import digest_bytes
from tidemill.core.errors import SettingsError

LONGEST = 40
"""Leaves room for endings within the 63 characters of a DNS label."""

# distribution/reference: an optional host with port, a path of lower-case parts, an optional tag, an optional digest.
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"
    r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipped:
    """What is shipped: a deployment, its champion, and the names both have elsewhere.

    Parameters
    ----------
    name
        The deployment's own name, as requests say it.
    label
        The name as a DNS label.
    """

    name: str
    label: str
    model: str
    version: int
    digest: str
    image: str
    grace_s: int

    @property
    def labels(self) -> dict[str, str]:
        """Kubernetes' recommended labels."""
        return {**self.selector, "app.kubernetes.io/version": f"v{self.version}",
                "app.kubernetes.io/component": "server", "app.kubernetes.io/managed-by": "tidemill"}  # fmt: skip

    @property
    def selector(self) -> dict[str, str]:
        """The labels that never change, by which pods are found."""
        return {"app.kubernetes.io/name": "tidemill", "app.kubernetes.io/instance": self.label}

    @property
    def annotations(self) -> dict[str, str]:
        """What a label cannot hold."""
        return {
            "tidemill/deployment": self.name,
            "tidemill/model": f"{self.model} version {self.version}",
            "tidemill/digest": self.digest,
        }


def dns_label(name: str) -> str:
    """A deployment's name as a DNS label. Names that had to change end in a digest, so that no two become one."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST].strip("-")
    if plain == name and plain[0].isalpha():
        return plain
    start = plain if plain[:1].isalpha() else f"d-{plain}".strip("-")
    return f"{start}-{digest_bytes(name.encode('utf-8', 'surrogatepass'))[:8]}"


def check_image(image: str) -> str:
    """Refuse what is no image reference.

    Raises
    ------
    SettingsError
        It is none.
    """
    if not _IMAGE.fullmatch(image) or len(image) > 400:
        raise SettingsError(f"{image!r} is not the name of an image", hint="such as registry.example/team/churn:v3")
    return image
