"""JSON Schema of a board file, for editors.

    json_schema() -> the schema as plain data

May not know: what checks go beyond a schema (references, positions).
"""

from __future__ import annotations

from typing import TypeAlias

from multikernel.board.model import Board

Json: TypeAlias = "dict[str, Json] | list[Json] | str | int | float | bool | None"


def json_schema() -> dict[str, Json]:
    """Draft 2020-12.  A file that extends another need not have the keys a whole board must have."""
    schema: dict[str, Json] = Board.model_json_schema(by_alias=True)
    properties = schema["properties"]
    required = schema.pop("required")
    assert isinstance(properties, dict)
    name: Json = {"type": "string", "minLength": 1}
    properties["extends"] = {
        "anyOf": [name, {"type": "array", "items": name}],
        "description": "Boards laid under this one.",
    }
    schema["anyOf"] = [{"required": ["extends"]}, {"required": required}]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
