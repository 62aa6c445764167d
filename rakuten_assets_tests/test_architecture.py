"""The house as README draws it: what may import what, no circles, folders that one look takes in."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import rakuten_assets

PACKAGE = Path(rakuten_assets.__file__).parent
README = PACKAGE.parent / "README.md"
MOST_FILES_OF_A_FOLDER = 14


def _floors() -> list[list[str]]:
    """The lines of README's drawing, from the top floor down; each a list of rooms (packages or modules)."""
    drawing = re.search(r"<!-- architecture -->\n```text\n(.*?)```", README.read_text("utf-8"), re.DOTALL)
    assert drawing, "README.md has no block marked <!-- architecture -->"
    return [line.split("  ")[0].split() for line in drawing[1].splitlines() if line.strip()]


FLOORS = _floors()
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = {
    ".".join(parts[:-1] if parts[-1] == "__init__" else parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    for parts in [path.relative_to(PACKAGE.parent).with_suffix("").parts]
}


def _imports(path: Path) -> set[str]:
    """Modules of this package that a file imports, at any level, when it runs."""
    found = set()
    tree = ast.parse(path.read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            node.body = []  # says what a value is, and imports nothing when it runs
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                found.add(name if name in MODULES else node.module)
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return {name for name in found if name in MODULES}


IMPORTS = {name: _imports(path) - {name} for name, path in MODULES.items()}


def _room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else None


def test_every_room_is_in_the_drawing_once() -> None:
    rooms = [room for floor in FLOORS for room in floor]
    assert len(rooms) == len(set(rooms))
    assert set(rooms) == {_room(name) for name in MODULES} - {None}


@pytest.mark.parametrize("room", sorted(FLOOR_OF))
def test_a_room_imports_only_from_floors_below(room: str) -> None:
    for module, imported in IMPORTS.items():
        if _room(module) != room:
            continue
        for name in imported:
            other = _room(name)
            if other is None or other == room:
                continue
            assert FLOOR_OF[other] > FLOOR_OF[room], f"{module} imports {name}, which is not below it"


def test_no_module_imports_itself_by_way_of_others() -> None:
    reached: dict[str, bool] = {}  # True: done; False: on the path being walked

    def walk(name: str, path: list[str]) -> None:
        assert reached.get(name, True), f"a circle of imports: {' -> '.join([*path, name])}"
        if name in reached:
            return
        reached[name] = False
        for other in sorted(IMPORTS[name]):
            walk(other, [*path, name])
        reached[name] = True

    for name in MODULES:
        walk(name, [])


def test_no_folder_holds_more_files_than_one_look_takes_in() -> None:
    for folder in {path.parent for path in MODULES.values()}:
        files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
        assert len(files) <= MOST_FILES_OF_A_FOLDER, (
            f"{folder.relative_to(PACKAGE.parent)}: {len(files)} files"
        )
