"""The service's two pages for people: `/`, to try it with one picture, and `/docs`, what it takes and answers.

They are plain HTML made of the OpenAPI document; no script, nothing from elsewhere.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape
from typing import Any

POLICY = "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
"""The content security policy of both pages."""
STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse}td,th{border:1px solid #8886;padding:.2rem .6rem;text-align:left}"
    "code{font-family:ui-monospace,monospace}"
)


def start_page(title: str, version: str, formats: Collection[str]) -> str:
    """Forms that send one picture, each for an answer in another of the `formats`."""
    forms = "".join(
        f'<form action="/v1/hands?format={escape(name)}" method="post" enctype="multipart/form-data">'
        f'<p><label>{escape(name)} of <input type="file" name="image" accept="image/*" required></label> '
        f"<button>Find hands</button></p></form>"
        for name in ("json", "glb", "csv")
        if name in formats
    )
    body = (
        f"<h1>{escape(title)} {escape(version)}</h1><p>Hands in pictures, as a service. Send a picture:</p>"
        f"{forms}<p>From a program: <code>curl -F image=@photo.jpg 'http://HOST:PORT/v1/hands'</code></p>"
        '<p><a href="/docs">What it takes and answers</a>; for programs <a href="/openapi.json">openapi.json</a>; '
        '<a href="/v1/health">health</a>, <a href="/v1/version">version</a>, <a href="/metrics">metrics</a>.</p>'
    )
    return _page(title, body)


def docs_page(document: Mapping[str, Any]) -> str:
    """Every path of an OpenAPI document: its parameters, what it answers, and when not."""
    parts = [f"<h1>{escape(document['info']['title'])} {escape(document['info']['version'])}</h1>"]
    parts.append(f"<p>{escape(document['info'].get('description', ''))}</p>")
    for path, methods in document["paths"].items():
        for method, told in methods.items():
            parts.append(f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2>")
            parts.append(f"<p>{escape(told.get('summary', ''))}</p>")
            parts += _body(document, told) + _parameters(told) + _answers(told)
    return _page(document["info"]["title"], "".join(parts))


def _body(document: Mapping[str, Any], told: Mapping[str, Any]) -> list[str]:
    content = told.get("requestBody", {}).get("content", {})
    rows = []
    for media_type, given in content.items():
        schema = given.get("schema", {})
        name = schema.get("$ref", "").rpartition("/")[2]
        schema = document.get("components", {}).get("schemas", {}).get(name, schema)
        for field, about in schema.get("properties", {}).items():
            rows.append((f"{field} ({media_type})", about.get("description", "")))
    return _table(("field", ""), rows)


def _parameters(told: Mapping[str, Any]) -> list[str]:
    rows = []
    for parameter in told.get("parameters", []):
        schema = parameter.get("schema", {})
        allowed = schema.get("enum") or next((s["enum"] for s in schema.get("anyOf", []) if "enum" in s), None)
        default = "" if schema.get("default") is None else f"default {schema['default']}"
        values = ", ".join(map(str, allowed)) if allowed else ""
        rows.append((parameter["name"], parameter.get("description", ""), values, default))
    return _table(("query", "", "one of", ""), rows)


def _answers(told: Mapping[str, Any]) -> list[str]:
    rows = [
        (status, answer.get("description", ""), ", ".join(answer.get("content", {})))
        for status, answer in told.get("responses", {}).items()
    ]
    return _table(("status", "when", "as"), rows)


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> list[str]:
    if not rows:
        return []
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return [f"<table><tr>{titles}</tr>{lines}</table>"]


def _page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{escape(title)}</title>'
    return f'<!doctype html><html lang="en"><head>{head}<style>{STYLE}</style></head><body>{body}</body></html>'
