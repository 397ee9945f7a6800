"""What the scripts share: each case runs one use of an SDK and prints what the program saw, one JSON line a case."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any

URL = os.environ["GATEWAY_URL"]
KEY = os.environ["GATEWAY_KEY"]
CAPPED_KEY = os.environ["GATEWAY_KEY_CAPPED"]
IDLE_KEY = os.environ["GATEWAY_KEY_IDLE"]

PARAMETERS = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 3}},
    "required": ["city", "days"],
    "additionalProperties": False,
}

CASES: list[Callable[[], Any]] = []


def case(use: Callable[[], Any]) -> Callable[[], Any]:
    CASES.append(use)
    return use


def error_of(use: Callable[[], Any], kind: type[Exception]) -> dict[str, Any]:
    """The error that an SDK raises, as a program reads it. Any other kind ends the script."""
    try:
        use()
    except kind as error:
        return {
            "kind": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "code": getattr(error, "code", None),
            "request_id": getattr(error, "request_id", None),
        }
    raise AssertionError("the SDK raised nothing")


def main() -> None:
    for use in CASES:
        print(json.dumps({"case": use.__name__, "saw": use()}), flush=True)
    sys.exit(0)
