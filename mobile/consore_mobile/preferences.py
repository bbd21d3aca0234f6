"""What the app remembers between two starts: server, login, appearance, language. Never a password nor a token."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path

THEMES = ("system", "light", "dark")


@dataclass(slots=True)
class Preferences:
    """Kept as one small JSON file in the app's own folder."""

    server: str = ""
    login: str = ""
    theme: str = "system"
    language: str = "fr"

    @classmethod
    def load(cls, file: Path) -> Preferences:
        """What was saved; the defaults when there is nothing, or nothing readable."""
        try:
            saved = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return cls()
        if not isinstance(saved, dict):
            return cls()
        known = {item.name for item in fields(cls)}
        return cls(**{key: value for key, value in saved.items() if key in known and isinstance(value, str)})

    def save(self, file: Path) -> None:
        """Write atomically: a phone that dies meanwhile keeps the former file."""
        file.parent.mkdir(parents=True, exist_ok=True)
        draft = file.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self), ensure_ascii=False), encoding="utf-8")
        draft.replace(file)
