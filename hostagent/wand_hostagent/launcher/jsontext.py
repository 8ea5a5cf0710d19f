"""Values as JSON without spaces, by an encoder that is made once: json.dumps makes another for each value."""

import json
from collections.abc import Callable
from typing import Any

_make: Any = getattr(json.encoder, "c_make_encoder", None)


def encoder(*, ascii_alone: bool, sort_keys: bool) -> Callable[[Any], str]:
    """What writes a value down; it raises ValueError for NaN and TypeError for what JSON has no form for."""
    if _make is None:
        return json.JSONEncoder(
            ensure_ascii=ascii_alone, sort_keys=sort_keys, separators=(",", ":"), allow_nan=False
        ).encode
    coder: Any = json.encoder
    text = coder.encode_basestring_ascii if ascii_alone else coder.encode_basestring
    parts = _make(None, None, text, None, ":", ",", sort_keys, False, False)
    return lambda value: "".join(parts(value, 0))
