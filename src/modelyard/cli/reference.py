"""Write `docs/reference/` from the code: `python -m modelyard.cli.reference [DIR]`, or `make reference`.

A test compares what this makes with what is committed, so the pages cannot lie.
"""

import ast
import inspect
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import fields
from itertools import zip_longest
from pathlib import Path
from typing import Any

import typer
import typer.main

from modelyard import settings
from modelyard.cli.main import app
from modelyard.dispatch.operation import Mode, Operation, table
from modelyard.server.composition import import_parts

SERVICES = {
    "sagemaker": "Amazon SageMaker",
    "modelyard": "Modelyard, beyond AWS",
    "s3": "Amazon S3",
    "iam": "AWS Identity and Access Management",
    "sts": "AWS Security Token Service",
}
"""Their full names, in the order of the page; others follow under the name that botocore has for them."""

NOTICE = "<!-- Written by `make reference` from the code: change that, not this. -->\n\n"


def pages() -> Mapping[str, str]:
    """Every page of the reference, by file name."""
    return {"operations.md": operations_page(), "settings.md": settings_page(), "commands.md": commands_page()}


def operations_page() -> str:
    """Every operation that this server answers, by service."""
    import_parts()
    services: dict[str, list[Operation]] = defaultdict(list)
    for operation in table().values():
        services[operation.service].append(operation)
    text = NOTICE + (
        "# Operations\n\n"
        "What Modelyard answers, as the AWS service models define it: same names, same members, same errors. Everything else is\n"
        "refused with `UnknownOperationException` (4xx), which clients do not retry.\n"
    )
    known = [name for name in SERVICES if name in services]
    for service in (*known, *sorted(set(services) - set(known))):
        found = sorted(services[service], key=lambda operation: operation.name)
        text += f"\n## {SERVICES.get(service, service)} (`{service}`, {len(found)} operations)\n\n"
        text += "| operation | what it does | changes something |\n| --- | --- | --- |\n"
        text += "".join(_operation_row(operation) for operation in found)
    return text


def _operation_row(operation: Operation) -> str:
    said = inspect.getdoc(operation.perform) or ""
    first = " ".join(said.split("\n\n")[0].split()).replace("|", "\\|")
    writes = "yes" if operation.writes or operation.mode is Mode.WRITE else ""
    return f"| `{operation.name}` | {first} | {writes} |\n"


def settings_page() -> str:
    """Every setting with its default and its meaning."""
    meanings = _attribute_docstrings(settings.Settings)
    text = NOTICE + (
        "# Settings\n\n"
        "Each can be given in `modelyard.toml` in the data directory (`port = 9200`), or as an environment variable\n"
        "(`MODELYARD_PORT=9200`); `--host`, `--port` and `--data` are also options of `modelyard serve`. What is given nearer\n"
        "wins: an option over the environment, the environment over the file, the file over the default.\n\n"
        "| setting | variable | default | meaning |\n| --- | --- | --- | --- |\n"
    )
    for field in fields(settings.Settings):
        default = "" if field.name == "data" else f"`{field.default!r}`".replace("'", '"')
        variable = f"MODELYARD_{field.name.upper()}"
        text += f"| `{field.name}` | `{variable}` | {default} | {meanings[field.name]} |\n"
    return text


def _attribute_docstrings(value: type) -> Mapping[str, str]:
    """The string under each attribute of a class, which Python itself does not keep."""
    body = ast.parse(inspect.getsource(value)).body[0]
    assert isinstance(body, ast.ClassDef)
    found = {}
    for statement, following in zip_longest(body.body, body.body[1:]):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            said = following.value if isinstance(following, ast.Expr) else None
            text = said.value if isinstance(said, ast.Constant) and isinstance(said.value, str) else ""
            found[statement.target.id] = " ".join(text.split())
    return found


def commands_page() -> str:
    """Every command with its arguments and options."""
    text = NOTICE + (
        "# Commands\n\n"
        "Answers go to standard output, everything else to standard error. Exit codes: 0 done, 1 it failed (one sentence on\n"
        "standard error says why), 2 it was asked wrongly.\n"
    )
    for path, command in _commands(typer.main.get_command(app), "modelyard"):
        text += f"\n## `{path}`\n\n{inspect.cleandoc(command.help or '')}\n"
        rows = [_parameter_row(parameter) for parameter in command.params if parameter.name != "help"]
        if rows:
            text += "\n| | default | meaning |\n| --- | --- | --- |\n" + "".join(rows)
    return text


def _commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name in inner:
        yield from _commands(inner[name], f"{path} {name}")


def _parameter_row(parameter: Any) -> str:
    names = parameter.opts if parameter.param_type_name == "option" else [parameter.metavar or parameter.name.upper()]
    default = "required" if parameter.required else "" if parameter.default in (None, "", False) else f"`{parameter.default}`"
    meaning = " ".join((parameter.help or "").split()).replace("|", "\\|")
    return f"| {', '.join(f'`{name}`' for name in names)} | {default} | {meaning} |\n"


def main(folder: Path) -> None:
    """Write the pages into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("docs/reference"))
