"""Part of `make check`: what the documents name exists.

* `path.py:name` in docs/walkthrough.md (the path from the repository's root, or from a member's `src/`) is a function, class or method there.
* The tables of docs/glossary.md hold each word once, in alphabetical order, with a meaning.
* Links between our own documents lead somewhere.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WALKTHROUGH = ROOT / "docs" / "walkthrough.md"
GLOSSARY = ROOT / "docs" / "glossary.md"
REFERENCE = re.compile(r"`([\w./-]+\.py):([\w.]+)`")
ROW = re.compile(r"^\|([^|]*)\|(.*)\|\s*$")
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)[^)]*\)")
FEWEST_REFERENCES = 10


def main() -> int:
    problems = [*walkthrough_problems(), *glossary_problems(), *link_problems()]
    for problem in problems:
        print(problem)
    return 1 if problems else 0


def walkthrough_problems() -> Iterator[str]:
    """References to code that is not there; too few references is a walkthrough that nobody checks."""
    references = list(_numbered(WALKTHROUGH, REFERENCE))
    if len(references) < FEWEST_REFERENCES:
        yield f"{_name(WALKTHROUGH)}: only {len(references)} references of the form `path.py:function`"
    for line, (path, name) in references:
        places = _places(path)
        if not places:
            yield f"{_name(WALKTHROUGH)}:{line}: there is no {path}"
        elif not any(name in _definitions(place) for place in places):
            yield f"{_name(WALKTHROUGH)}:{line}: {path} has no {name}"


def glossary_problems() -> Iterator[str]:
    words: list[str] = []
    for line, cells in _numbered(GLOSSARY, ROW):
        word, meaning = (cell.strip() for cell in cells)
        if set(word) <= set("-: ") or word.lower() == "word":
            words.clear()
            continue
        where = f"{_name(GLOSSARY)}:{line}"
        if not word or not meaning:
            yield f"{where}: a row without word or meaning"
        if word.lower() in words:
            yield f"{where}: {word} stands there twice"
        elif words and word.lower() < words[-1]:
            yield f"{where}: {word} is out of order"
        words.append(word.lower())
    if not words:
        yield f"{_name(GLOSSARY)}: no words"


def link_problems() -> Iterator[str]:
    for document in [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("*/*/README.md"),
        *ROOT.glob("*/README.md"),
    ]:
        for line, (target,) in _numbered(document, LINK):
            if "://" not in target and not (document.parent / target).exists():
                yield f"{_name(document)}:{line}: the link to {target} leads nowhere"


def _numbered(document: Path, pattern: re.Pattern[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Every match of the pattern with the number of its line."""
    for number, line in enumerate(document.read_text(encoding="utf-8").splitlines(), 1):
        for match in pattern.finditer(line):
            yield number, match.groups()


def _places(path: str) -> list[Path]:
    return [
        place for place in (ROOT / path, *ROOT.glob(f"*/src/{path}"), *ROOT.glob(f"*/*/src/{path}")) if place.is_file()
    ]


def _definitions(path: Path) -> set[str]:
    """Names of functions and classes, of methods as `Class.method`, and of module-level variables."""
    found: set[str] = set()
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            methods = (each for each in node.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
            found.update(f"{node.name}.{method.name}" for method in methods)
        if isinstance(node, ast.Assign):
            found.update(target.id for target in node.targets if isinstance(target, ast.Name))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found.add(node.target.id)
    return found


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


if __name__ == "__main__":
    sys.exit(main())
