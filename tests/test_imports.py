"""Imports run one way: from the program over the models down to the kernels; late and type-only imports count too."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fastnet

ROOT = Path(fastnet.__file__).parent
MODULES = {".".join(("fastnet", *path.relative_to(ROOT).with_suffix("").parts)): path for path in ROOT.rglob("*.py")}
MODULES = {name.removesuffix(".__init__"): path for name, path in MODULES.items()}


def imports(module: str) -> Iterator[str]:
    """The modules of fastnet that a module imports, wherever the import stands."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            yield from (
                f"{node.module}.{a.name}" if f"{node.module}.{a.name}" in MODULES else node.module for a in node.names
            )


GRAPH = {module: set(imports(module)) - {module} for module in MODULES}
TOP = "distributed export inspection models playground plotting reporting sklearn"  # the folders nearest to the user


def reachable(start: str) -> set[str]:
    found: set[str] = set()
    ahead = [start]
    while ahead:
        new = GRAPH[ahead.pop()] - found
        found |= new
        ahead += new
    return found


def test_no_circle_of_imports_has_more_than_five_files() -> None:
    ahead = {module: reachable(module) for module in GRAPH}
    circles = {frozenset(other for other in ahead[module] if module in ahead[other]) for module in GRAPH}
    assert [sorted(circle) for circle in circles if len(circle) > 5] == []


@pytest.mark.parametrize(
    ("package", "above"),
    [
        ("arrays", f"callbacks initializers layers losses metrics optimizers saving training {TOP}"),
        ("layers", f"callbacks losses metrics saving training {TOP}"),
        ("metrics", f"callbacks saving training {TOP}"),
        ("saving", f"callbacks training {TOP}"),
        ("callbacks", f"training {TOP}"),
        ("training", "saving distributed export models playground plotting reporting sklearn"),
        ("inspection", f"training {TOP}"),
        ("terminal", f"callbacks checks kernels layers saving training {TOP}"),
        ("distributed", TOP),
        ("export", f"callbacks {TOP}"),
        ("models", "playground plotting reporting sklearn"),
        ("sklearn", "distributed export inspection playground plotting reporting saving"),
        ("plotting", "distributed export playground reporting sklearn"),
        ("reporting", "distributed export playground plotting sklearn"),
    ],
)
def test_what_is_below_imports_nothing_above(package: str, above: str) -> None:
    own = [name for name in GRAPH if name.split(".")[1:2] == [package]]
    found = {
        (name, other)
        for name in own
        for other in GRAPH[name]
        if other.split(".")[1:2] and other.split(".")[1] in {*above.split()} - {package}
    }
    assert own
    assert found == set()


def test_dir_names_also_what_is_not_yet_imported() -> None:
    """The prompt completes names from dir, and the site's reference lists them."""
    code = "import sys, fastnet\nfor m in [m for n, m in sys.modules.items() if n.startswith('fastnet')]:\n"
    code += "    print(*({*getattr(m, '__all__', ())} - {*dir(m)}))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []
