"""Is an answer what the OpenAPI document promises? Every test's every answer is held to it."""

import re
from typing import Any

TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "object": dict,
    "array": list,
    "null": type(None),
}
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def check_answer(document: dict[str, Any], method: str, path: str, response: Any) -> None:
    """Raises AssertionError unless status, media type and body are documented. Other addresses are not its affair."""
    item = next((item for template, item in document["paths"].items() if _fits(template, path)), {})
    operation = item.get(method.lower())
    if operation is None:
        return
    place = f"{method} {path} {response.status_code}"
    assert str(response.status_code) in operation["responses"], f"{place}: not documented"
    content = operation["responses"][str(response.status_code)].get("content")
    if content is None:
        assert not response.content, f"{place}: documented without a body"
        return
    media_type = response.headers["content-type"]
    assert media_type in content, f"{place}: {media_type} is not documented"
    check_value(document, content[media_type]["schema"], response.json(), place)


def check_value(document: dict[str, Any], schema: dict[str, Any], value: Any, place: str) -> None:
    """JSON Schema as far as the document uses it; a field that no schema names is an error too."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    if "oneOf" in schema:
        assert any(_holds(document, choice, value, place) for choice in schema["oneOf"]), (
            f"{place}: fits no choice"
        )
        return
    kind = schema["type"]
    assert isinstance(value, TYPES[kind]), f"{place}: not {kind}"
    assert kind not in {"integer", "number"} or not isinstance(value, bool), f"{place}: not {kind}"
    assert value in schema.get("enum", [value]), f"{place}: not one of {schema.get('enum')}"
    assert schema.get("format") != "date-time" or DATE_TIME.fullmatch(value), f"{place}: not a time"
    if kind == "array":
        for number, item in enumerate(value):
            check_value(document, schema["items"], item, f"{place}[{number}]")
    if kind == "object" and "properties" in schema:
        assert value.keys() >= set(schema.get("required", ())), f"{place}: a field is missing"
        assert value.keys() <= schema["properties"].keys(), f"{place}: an unknown field"
        for name, item in value.items():
            check_value(document, schema["properties"][name], item, f"{place}.{name}")


def _holds(document: dict[str, Any], schema: dict[str, Any], value: Any, place: str) -> bool:
    try:
        check_value(document, schema, value, place)
    except AssertionError:
        return False
    return True


def _fits(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(template)), path) is not None
