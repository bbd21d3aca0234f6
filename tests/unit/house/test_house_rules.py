"""What the house holds itself to, checked like anything else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import typer

ROOT = Path(__file__).parents[3]


def run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}{done.stderr[-2000:]}"


def tool(name: str) -> str:
    return str(Path(sys.executable).parent / name)


@pytest.mark.parametrize(
    "command",
    [
        ("ruff", "check", "."),
        ("ruff", "format", "--check", "."),
        pytest.param(("mypy",), marks=pytest.mark.slow),
        ("lint-imports",),
    ],
    ids=" ".join,
)
def test_the_house_is_in_order(command: tuple[str, ...]) -> None:
    run(tool(command[0]), *command[1:])


def test_every_setting_is_described() -> None:
    from consore.settings import Settings

    undescribed = [name for name, field in Settings.model_fields.items() if not field.description]
    assert not undescribed


def test_every_command_says_what_it_does() -> None:
    import consore.cli.commands  # noqa: F401
    from consore.cli import app

    def walk(group: object, path: tuple[str, ...] = ()) -> list[str]:
        silent = []
        for name, command in getattr(group, "commands", {}).items():
            if not (command.help or "").strip():
                silent.append(" ".join((*path, name)))
            silent += walk(command, (*path, name))
        return silent

    assert not walk(typer.main.get_command(app))


def test_every_room_has_a_sentence_on_why_it_exists() -> None:
    rooms = [folder for folder in (ROOT / "backend" / "consore").iterdir() if (folder / "__init__.py").exists()]
    silent = [room.name for room in rooms if not (room / "__init__.py").read_text(encoding="utf-8").startswith('"""')]
    assert not silent


@pytest.mark.parametrize("folder", ["backend", "mobile", "referentials", "ops", "tests"])
def test_every_top_level_folder_says_what_it_is_for(folder: str) -> None:
    assert (ROOT / folder / "README.md").stat().st_size > 300
