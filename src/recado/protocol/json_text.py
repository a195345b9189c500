"""JSON as it travels in packets: compact, UTF-8, and forgiving about the one fault that browsers really send.

Must not know packets. Ruled by docs/realtime.md ("JSON").
"""

import json
import math
from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()


def decode(text: str) -> Any:
    """The value in `text`; lone surrogates (an emoji cut in half) become U+FFFD, as every UTF-8 writer does.

    JSON has one kind of number: 5.0 is the integer 5, as JSON Schema and every browser see it.
    Raises ValueError for anything that is not JSON, NaN and numbers out of range included. The text of the error
    may quote the input: never log it.
    """
    try:
        return _decoder.decode(text)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except msgspec.DecodeError as error:
        if "\\ud" not in text and "\\uD" not in text:
            raise ValueError("not JSON") from error
        return _decode_with_surrogates(text)


def encode(value: Any) -> bytes:
    """Compact JSON. NaN and infinities become null, lone surrogates escapes, `msgspec.Raw` what it holds.

    Raises TypeError or ValueError for what has no JSON form.
    """
    try:
        return _encoder.encode(value)
    except UnicodeEncodeError:
        # msgspec refuses lone surrogates; \ud83d is legal JSON and what JSON.stringify writes.
        plain = msgspec.to_builtins(value, enc_hook=_open_raw)
        return json.dumps(_nullify(plain), separators=(",", ":")).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _decode_with_surrogates(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_number)
        return _replace_surrogates(value)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _refuse_constant(_name: str) -> Any:
    raise ValueError("not JSON")


def _number(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("number out of range")
    return int(number) if number.is_integer() else number


_decoder = msgspec.json.Decoder[Any](float_hook=_number)


def _replace_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_replace_surrogates(item) for item in value]
    if isinstance(value, dict):
        return {_replace_surrogates(key): _replace_surrogates(item) for key, item in value.items()}
    return value


def _open_raw(value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        return _decoder.decode(value)
    raise TypeError("no JSON form")


def _nullify(value: Any) -> Any:
    """`json.dumps` would write NaN, which no other parser reads (python-socketio #1438)."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, list | tuple):
        return [_nullify(item) for item in value]
    if isinstance(value, dict):
        return {key: _nullify(item) for key, item in value.items()}
    return value
