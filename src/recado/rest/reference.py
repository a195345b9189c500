"""The OpenAPI document as a page for people: plain HTML and one style sheet, no script. docs/rest.md, "Reference".

Knows OpenAPI as far as document.py writes it. The page is complete without any script, so the content security
policy needs no exception and there is nothing to vendor.
"""

import re
from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby
from typing import Any

from recado.errors import RecadoError

STYLE_PATH = "/api/docs/reference.css"

CODE = re.compile("`([^`]+)`")

Node = dict[str, Any]


def render(document: Node, errors: Sequence[type[RecadoError]]) -> str:
    """`errors` get the anchors that a problem's `type` points to."""
    info = document["info"]
    operations = [
        (method.upper(), path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    groups = [(tag, list(group)) for tag, group in groupby(operations, lambda each: each[2]["tags"][0])]
    schemas = document["components"]["schemas"]
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(info["title"])} API</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="{STYLE_PATH}">
</head>
<body>
<nav aria-label="Contents">{_contents(groups, schemas)}</nav>
<main>
<h1>{escape(info["title"])} API <small>{escape(info["version"])}</small></h1>
{_prose(info["description"])}
<p>For programs: <a href="/api/openapi.json">the OpenAPI document</a>, and for the socket's events
<a href="/api/asyncapi.json">the AsyncAPI document</a>.</p>
{"".join(_group(tag, group) for tag, group in groups)}
<h2 id="errors">Errors</h2>
{_errors(errors)}
<h2 id="schemas">Schemas</h2>
{"".join(_schema(name, schema) for name, schema in schemas.items())}
</main>
</body>
</html>
"""


def _contents(groups: Iterable[tuple[str, list[Any]]], schemas: Node) -> str:
    lists = [
        (tag, [(operation["operationId"], operation["summary"]) for _, _, operation in group])
        for tag, group in groups
    ]
    lists.append(("Errors", [("errors", "All codes")]))
    lists.append(("Schemas", [(f"schema-{name}", name) for name in schemas]))
    return "".join(
        f"<h2>{escape(title)}</h2><ul>"
        + "".join(f'<li><a href="#{anchor}">{escape(text)}</a></li>' for anchor, text in entries)
        + "</ul>"
        for title, entries in lists
    )


def _group(tag: str, operations: Iterable[tuple[str, str, Node]]) -> str:
    return f"<h2>{escape(tag)}</h2>" + "".join(_operation(*each) for each in operations)


def _operation(method: str, path: str, operation: Node) -> str:
    needs = " · ".join(name for choice in operation.get("security", ()) for name in choice)
    parameters = [
        (
            f"<code>{escape(each['name'])}</code>",
            escape(each["in"]),
            _kind(each["schema"]),
            _prose(("Required. " if each["required"] else "") + each.get("description", "")),
        )
        for each in operation.get("parameters", ())
    ]
    body = operation.get("requestBody")
    responses = [
        (f"<code>{status}</code>", _content(response), _prose(response["description"]))
        for status, response in sorted(operation["responses"].items())
    ]
    return (
        f'<article id="{operation["operationId"]}">'
        f'<h3><span class="method {method.lower()}">{method}</span> <code>{escape(path)}</code></h3>'
        f"<p><strong>{escape(operation['summary'])}.</strong></p>{_prose(operation.get('description', ''))}"
        + (f"<p>Session: {escape(needs)}.</p>" if needs else "<p>No session needed.</p>")
        + (_table(("Parameter", "In", "Type", ""), parameters) if parameters else "")
        + (f"<p>Body: {_content(body)}</p>" if body else "")
        + _table(("Answer", "Body", ""), responses)
        + "</article>"
    )


def _errors(errors: Iterable[type[RecadoError]]) -> str:
    rows = [
        (
            f'<code id="error-{error.code}">{error.code}</code>',
            str(error.status),
            "yes" if error.retryable else "no",
            escape(error.title),
        )
        for error in sorted(errors, key=lambda error: (error.status, error.code))
    ]
    return _table(("Code", "Status", "Retryable", ""), rows)


def _schema(name: str, schema: Node) -> str:
    required = schema.get("required", ())
    rows = [
        (
            f"<code>{escape(field)}</code>{'' if field in required else ' <small>optional</small>'}",
            _kind(kind),
            _prose(kind.get("description", "")),
        )
        for field, kind in schema.get("properties", {}).items()
    ]
    return (
        f'<article id="schema-{name}"><h3>{escape(name)}</h3>{_prose(schema.get("description", ""))}'
        f"{_table(('Field', 'Type', ''), rows)}</article>"
    )


def _content(node: Node) -> str:
    return ", ".join(
        f"{_kind(content['schema'])} <small>{escape(media_type)}</small>"
        for media_type, content in node.get("content", {}).items()
    )


def _kind(schema: Node) -> str:
    """A schema in a few words, with its limits."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#schema-{name}">{escape(name)}</a>'
    if "oneOf" in schema:
        return " or ".join(_kind(choice) for choice in schema["oneOf"])
    if "enum" in schema:
        return " | ".join(f"<code>{escape(str(value))}</code>" for value in schema["enum"])
    words = str(schema.get("type", "any"))
    if "items" in schema:
        words = f"array of {_kind(schema['items'])}"
    if isinstance(schema.get("additionalProperties"), dict):
        words = f"object of {_kind(schema['additionalProperties'])}"
    limits = [schema[key] for key in ("format",) if key in schema]
    for low, high, unit in (("minimum", "maximum", ""), ("minLength", "maxLength", " characters")):
        if low in schema or high in schema:
            limits.append(f"{schema.get(low, 0):g} to {schema.get(high, '…')}{unit}")
    return words + (f" <small>{escape(', '.join(limits))}</small>" if limits else "")


def _prose(text: str) -> str:
    """Paragraphs, with `code`: all the Markdown that our descriptions use."""
    paragraphs = [escape(each.strip()) for each in text.split("\n\n") if each.strip()]
    return "".join(f"<p>{CODE.sub(_code, each)}</p>" for each in paragraphs)


def _code(quoted: re.Match[str]) -> str:
    return f"<code>{quoted[1]}</code>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    header = "".join(f"<th>{cell}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"
