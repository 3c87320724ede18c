"""The OpenAPI document (3.1), made of the table of operations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec

from mnemolog.gateway.http.operation import Operation
from mnemolog.gateway.http.problems import MEDIA_TYPE, Kind, Problem

WAIT_HEADER = "Mnemolog-Wait-For"
_REF = "#/components/schemas/{name}"
_PARAMETERS = {
    "space": "The name of a space: 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or a digit.",
    "session": "The id of a session.",
    "node": "The id of a node, or a beginning of it that no other has.",
    "scene": "The name of a scene.",
    "name": "The name of an entity, or one of its aliases.",
}


def document(operations: Sequence[Operation]) -> dict[str, Any]:
    """The document that describes every operation, its bodies, its answers and its problems."""
    schemas = _Schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.template, {})[operation.method.lower()] = _operation(operation, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mnemolog",
            "version": version("mnemolog"),
            "description": "Long-term memory for AI agents, kept as an event log.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token of `mnemolog token add`."}
            },
        },
    }


class _Schemas:
    """The JSON schemas of all types in the table."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        types: list[Any] = [Problem]
        for operation in operations:
            types += [operation.answer, operation.query, *([operation.body] if operation.body else [])]
        found, components = msgspec.json.schema_components(types, ref_template=_REF)
        self._of = {str(type_): schema for type_, schema in zip(types, found, strict=True)}
        self.components: dict[str, Any] = dict(components)
        self._queries: dict[str, Mapping[str, Any]] = {
            str(query): self.components.pop(self._name(query), {})
            for query in {operation.query for operation in operations}
        }

    def of(self, type_: Any) -> dict[str, Any]:
        return self._of[str(type_)]

    def query(self, type_: Any) -> Mapping[str, Any]:
        return self._queries[str(type_)]

    def _name(self, type_: Any) -> str:
        return str(self.of(type_)["$ref"]).rpartition("/")[2]


def _operation(operation: Operation, schemas: _Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": f"Needs a token of the scope `{operation.scope}`.",
        "tags": [operation.scope],
        "parameters": [*_path(operation), *_query(schemas.query(operation.query)), *_headers(operation)],
        "responses": {
            str(operation.status): {
                "description": operation.summary,
                "content": {operation.media_type: {"schema": schemas.of(operation.answer)}},
            },
            **_problems(operation.problems, schemas),
        },
    }
    if operation.body is not None:
        required = any(field.required for field in msgspec.structs.fields(operation.body))
        content = {"application/json": {"schema": schemas.of(operation.body)}}
        found["requestBody"] = {"required": required, "content": content}
    return found


def _path(operation: Operation) -> list[dict[str, Any]]:
    text = {"type": "string", "minLength": 1}
    return [
        {"name": name, "in": "path", "required": True, "description": _PARAMETERS[name], "schema": text}
        for name in operation.parameters
    ]


def _query(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": own, "explode": True}
        for name, own in schema.get("properties", {}).items()
    ]


def _headers(operation: Operation) -> list[dict[str, Any]]:
    if not operation.reads:
        return []
    description = "A position to wait for before reading, as the parameter `wait`."
    schema = {"type": "string", "pattern": r"^[0-9]{1,20}-[0-9]{1,20}$"}
    return [{"name": WAIT_HEADER, "in": "header", "required": False, "description": description, "schema": schema}]


def _problems(kinds: Sequence[Kind], schemas: _Schemas) -> dict[str, Any]:
    by_status: dict[int, list[Kind]] = {}
    for kind in kinds:
        by_status.setdefault(kind.status, []).append(kind)
    return {str(status): _problem(by_status[status], schemas) for status in sorted(by_status)}


def _problem(kinds: Sequence[Kind], schemas: _Schemas) -> dict[str, Any]:
    types = {"properties": {"type": {"enum": [kind.type for kind in kinds]}}}
    return {
        "description": "; ".join(f"{kind.title} (`{kind.name}`)" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": {"allOf": [schemas.of(Problem), types]}}},
    }
