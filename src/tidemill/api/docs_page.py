"""``GET /docs``: one page without a script, made from the routes and from the models that are loaded."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from tidemill.api.context import Context
from tidemill.api.failures import NOSNIFF
from tidemill.api.openapi import document
from tidemill.api.request import Request, Response

POLICY = (
    b"content-security-policy",
    b"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
)

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1d2733}"
    "code,pre{font:14px/1.45 ui-monospace,monospace}pre{background:#f2f5f8;padding:.8rem;overflow-x:auto}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #d8dfe6}"
    "b{display:inline-block;min-width:3.5rem}details{margin:.6rem 0}summary{cursor:pointer}"
)


async def docs(ctx: Context, _: Request) -> Response:
    """The page."""
    body = page(document(ctx)).encode()
    return Response(200, ((b"content-type", b"text/html; charset=utf-8"), POLICY, NOSNIFF), body)


def page(told: dict[str, Any]) -> str:
    """The page for an OpenAPI document; every text in it is escaped."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>Tidemill</title>",
        f"<style>{_STYLE}</style><h1>{escape(told['info']['title'])}</h1><p>{escape(told['info']['description'])}</p>",
    ]
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            parts.append(
                f"<details><summary><b>{escape(method.upper())}</b> <code>{escape(path)}</code> "
                f"{escape(operation['summary'])}</summary>"
            )
            parts += _request(operation)
            parts.append(_answers(operation))
            parts.append("</details>")
    return "".join(parts) + "</html>"


def _request(operation: dict[str, Any]) -> list[str]:
    parts = [
        f"<p><code>{escape(one['name'])}</code> ({escape(one['in'])}): {escape(one.get('description', ''))}</p>"
        for one in operation.get("parameters", ())
    ]
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        for name, one in media.get("examples", {}).items():
            value = one["value"]
            text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
            parts.append(f"<p>{escape(name)}, <code>{escape(kind)}</code>:</p><pre>{escape(text)}</pre>")
    return parts


def _answers(operation: dict[str, Any]) -> str:
    rows = "".join(
        f"<tr><td>{escape(status)}</td><td>{escape(one['description'])}</td></tr>"
        for status, one in operation["responses"].items()
    )
    return f"<table><tr><th>status</th><th>when</th></tr>{rows}</table>"
