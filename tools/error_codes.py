"""The stable codes of refusals that a caller of the HTTP API may see, collected from the calls that refuse.

A code is the first text of such a call that looks like one (`spec.unknown_key`), or the first text of a call to a function that puts its own prefix
before it (`refused("in_use")` is `config.in_use`), or what a variable called `code` or `_CODES` is made of. Where a part of it is worked out, a star
stands for that part.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SOURCES = ("libs/domain/src", "services/gateway/src", "services/submit/src", "services/data/src")
"""The code whose refusals reach a caller."""

ELSEWHERE = ("osmo_domain/replay/",)
"""Parts of it that only command lines use."""

REFUSING = frozenset({"Rejected", "Refused", "Problem", "refused", "_refused", "_at", "within"})
CODE = re.compile(r"[a-z]+\.[a-z0-9_*]+")
NAMED = re.compile(r"_?codes?", re.IGNORECASE)
WORD = re.compile(r"[a-z0-9_]+\*?")


def error_codes() -> list[str]:
    return sorted({code for path in sources() for code in codes_in(path) if not code.endswith(".*")})


def sources() -> Iterator[Path]:
    for folder in SOURCES:
        for path in sorted((ROOT / folder).glob("**/*.py")):
            if not any(part in path.as_posix() for part in ELSEWHERE):
                yield path


def codes_in(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    texts = module_texts(tree)
    prefixes = {**imported_prefixes(tree), **own_prefixes(tree)}
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.id if isinstance(call.func, ast.Name) else ""
        said = [text for argument in call.args if (text := text_of(argument, texts))]
        if name in prefixes and said and WORD.fullmatch(said[0]):
            yield prefixes[name] + said[0]
        elif name in REFUSING:
            yield from [text for text in said if CODE.fullmatch(text)][:1]
    for node in ast.walk(tree):
        target, value = assigned(node)
        if NAMED.fullmatch(target):
            yield from filter(CODE.fullmatch, values_of(value))


def text_of(node: ast.expr, texts: dict[str, str]) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.Name(id=name):
            return texts.get(name, "")
        case ast.JoinedStr(values=parts):
            return "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in parts)
    return ""


def module_texts(tree: ast.Module) -> dict[str, str]:
    """Texts that have a name of their own at the top of the module."""
    named = dict(map(assigned, tree.body))
    return {
        name: node.value
        for name, node in named.items()
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def assigned(node: ast.AST) -> tuple[str, ast.expr | None]:
    """The name and the value of an assignment; no name for anything else."""
    match node:
        case (
            ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.AnnAssign(target=ast.Name(id=name), value=value)
        ):
            return name, value
    return "", None


def values_of(node: ast.expr | None) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield text
        case ast.Dict(values=values):
            for value in values:
                yield from values_of(value)
        case ast.IfExp(body=one, orelse=other):
            yield from values_of(one)
            yield from values_of(other)


def own_prefixes(tree: ast.Module) -> dict[str, str]:
    """Functions of the module that make a refusal whose code is theirs and a word they are given: their prefix."""
    found: dict[str, str] = {}
    for function in (node for node in tree.body if isinstance(node, ast.FunctionDef)):
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            first = text_of(call.args[0], {}) if call.args else ""
            if first.endswith(".*") and isinstance(call.func, ast.Name) and call.func.id == "Rejected":
                found[function.name] = first.removesuffix("*")
    return found


def imported_prefixes(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in (each for each in tree.body if isinstance(each, ast.ImportFrom)):
        if any(one.name in REFUSING for one in node.names):
            theirs = prefixes_of((node.module or "").replace(".", "/"))
            found.update({one.asname or one.name: theirs[one.name] for one in node.names if one.name in theirs})
    return found


@cache
def prefixes_of(module: str) -> dict[str, str]:
    path = ROOT / "libs/domain/src" / f"{module}.py"
    return own_prefixes(ast.parse(path.read_text(encoding="utf-8"))) if path.exists() else {}
