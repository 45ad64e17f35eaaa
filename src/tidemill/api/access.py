"""Who is let in: host and origin before anything else, then the token and what its role allows."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256

from tidemill.core.clock import Clock
from tidemill.core.errors import AccessError, RequestError, TokenError
from tidemill.serving.live import Principal

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What this server was told about its surroundings.

    Parameters
    ----------
    auth
        Every route but the probes asks for a token.
    hosts
        Names that requests may be addressed to, in lower case, without a port.
    any_address
        Any literal address is as good as these names: the server listens on all of them. A page that rebinds a DNS
        name still has that name in its Host header.
    origins
        Origins whose pages may send requests that change something.
    """

    auth: bool
    hosts: frozenset[str]
    any_address: bool = False
    origins: frozenset[str] = frozenset()


def make_policy(*, host: str, auth: str, hosts: tuple[str, ...], origins: tuple[str, ...]) -> Policy:
    """The policy of a server bound to an address."""
    bound = f"[{host}]" if ":" in host else host
    names = LOOPBACK_NAMES | {bound.lower()} | {name.lower() for name in hosts}
    return Policy(
        auth=auth == "always" or not is_loopback(host),
        hosts=frozenset(names),
        any_address=host in ("0.0.0.0", "::", ""),  # noqa: S104 - compared, not bound
        origins=frozenset(origin.lower().rstrip("/") for origin in origins),
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_host(policy: Policy, host: bytes | None) -> None:
    """Refuse requests for other names: a page in a browser can make its own name point to this machine.

    Raises
    ------
    RequestError
        There is no Host header.
    AccessError
        It names something else.

    References
    ----------
    .. [1] RFC 9110, section 7.2, Host and :authority. https://www.rfc-editor.org/rfc/rfc9110#section-7.2
    """
    if host is None:
        raise RequestError("the request has no Host header")
    name = _without_port(host.decode("latin-1").lower())
    if name in policy.hosts or (policy.any_address and _is_address(name)):
        return
    raise AccessError(
        f"this server does not answer for the host {name[:128]!r}",
        hint="name it under [server] hosts in tidemill.toml",
    )


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True


def check_origin(policy: Policy, method: str, origin: bytes) -> None:
    """Refuse what a page of another origin sends, whatever the method, unless it only reads.

    Raises
    ------
    AccessError
        The origin is not on the list.
    """
    if method in SAFE_METHODS:
        return
    text = origin.decode("latin-1").lower()
    if text not in policy.origins:
        raise AccessError(
            f"pages of {text[:128]!r} may not send requests here", hint="name the origin under [server] origins"
        )


class Doorkeeper:
    """Tells whom a token stands for, and remembers the last ones: nearly all requests come with a token seen before.

    A token that is new is looked up by its SHA-256, so nothing is learnt from how long that takes. What is remembered
    is forgotten as soon as the tokens were read anew, many times a minute.
    """

    def __init__(self, policy: Policy, clock: Clock) -> None:
        self._policy = policy
        self._clock = clock
        self._seen: dict[bytes, Principal] = {}
        self._of: Mapping[bytes, Principal] = {}

    def find(self, principals: Mapping[bytes, Principal], given: bytes | None) -> Principal | None:
        """The principal; None where no token is asked for and none was given.

        Raises
        ------
        TokenError
            There is no token, or it opens nothing (any more).
        """
        if given is None:
            if self._policy.auth:
                raise TokenError("this server asks for a token", hint="send Authorization: Bearer TOKEN")
            return None
        if principals is not self._of:
            self._of, self._seen = principals, {}
        found = self._seen.get(given) or self._look_up(principals, given)
        if found.expires_at is not None and not found.valid(self._clock.now()):
            raise _worthless()
        return found

    def _look_up(self, principals: Mapping[bytes, Principal], given: bytes) -> Principal:
        scheme, _, token = given.partition(b" ")
        if scheme.lower() != b"bearer":
            raise TokenError("the Authorization header holds no bearer token", hint="send Authorization: Bearer TOKEN")
        found = principals.get(sha256(token.strip()).digest())
        if found is None:
            raise _worthless()
        if len(self._seen) < 1024:
            self._seen[given] = found
        return found


def _worthless() -> TokenError:
    return TokenError("this token opens nothing", hint="tidemill token lists the tokens that do")


def check_permission(policy: Policy, principal: Principal | None, permission: str) -> None:
    """Refuse what the token's role does not hold.

    Raises
    ------
    AccessError
        The role lacks the permission.
    """
    if principal is None:
        if policy.auth:
            raise TokenError("this server asks for a token", hint="send Authorization: Bearer TOKEN")
        return
    if permission not in principal.permissions:
        raise AccessError(
            f"the role {principal.role} of the token {principal.name} does not hold the permission {permission}",
            hint="use a token of another role: tidemill token create",
            role=principal.role,
            permission=permission,
        )
