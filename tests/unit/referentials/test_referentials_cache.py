"""What was made of the files is kept on disk, and never stands in the way."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from consore.referentials import Terminology
from consore.referentials.compiled import Compiled, cache_name, compiled, stamp
from consore.settings import shipped_referentials

SOURCE = 'system = "CCAM"\nname = "m"\nedition = "1"\nlicence = "x"\norigin = "y"\nkind = "procedure"\n'


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root" / "acts"
    folder.mkdir(parents=True)
    (folder / "source.toml").write_text(SOURCE, encoding="utf-8")
    (folder / "concepts.csv").write_text("code,label,attributes\nA1,Zorglectomie,site=C50.9\n", encoding="utf-8")
    (folder / "ambiguity.csv").write_text(
        "form,kind,rule,before,after,why\nzorglectomie,procedure,never,pas de,,\n", encoding="utf-8"
    )
    return tmp_path / "root"


def loaded(root: Path, cache: Path | None) -> Terminology:
    return Terminology(root, compiled(root, None, cache, stamp(root)))


def same(one: Compiled, other: Compiled) -> bool:
    return (one.concepts, one.editions, one.names, one.own_categories) == (
        other.concepts,
        other.editions,
        other.names,
        other.own_categories,
    ) and tuple(one.patterns) == tuple(other.patterns)


def test_what_is_kept_is_what_was_made(tmp_path: Path) -> None:
    root, cache = shipped_referentials(), tmp_path / "cache"
    made = compiled(root, None, cache, "same")
    kept = compiled(root, None, cache, "same")
    assert same(kept, made)
    assert Terminology(root, kept).match("métastases hépatiques") == Terminology(root, made).match(
        "métastases hépatiques"
    )


def test_the_file_is_read_and_not_made_again(root: Path, tmp_path: Path) -> None:
    loaded(root, tmp_path / "cache")
    now = stamp(root)
    shutil.rmtree(root)
    known = Terminology(root, compiled(root, None, tmp_path / "cache", now))
    assert [m.code for m in known.match("une zorglectomie")] == ["A1"]
    assert known.match("pas de zorglectomie") == []
    assert [c.code for c in known.suggest("zorgl")] == ["A1"]


def test_a_file_that_changed_is_read_anew(root: Path, tmp_path: Path) -> None:
    loaded(root, tmp_path / "cache")
    (root / "acts" / "concepts.csv").write_text("code,label\nA2,Blobotomie\n", encoding="utf-8")
    assert [m.code for m in loaded(root, tmp_path / "cache").match("blobotomie")] == ["A2"]


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other", "folder"])
def test_a_damaged_file_is_made_anew(root: Path, tmp_path: Path, damage: str) -> None:
    cache = tmp_path / "cache"
    loaded(root, cache)
    file = cache / cache_name(root, None)
    content = file.read_bytes()
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        flipped = bytes((content[-5] ^ 255,))
        file.write_bytes(
            {
                "cut": content[: len(content) // 2],
                "flipped": content[:-5] + flipped + content[-4:],
                "empty": b"",
                "other": b"something else",
            }[damage]
        )
    assert [m.code for m in loaded(root, cache).match("zorglectomie")] == ["A1"]
    if damage != "folder":
        mended = file.read_bytes()  # the same values; how marshal shares them may differ
        assert mended[:50] == content[:50]
        assert len(mended) > len(content) // 2


def test_a_cache_that_cannot_be_written_is_done_without(root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file, not a folder", encoding="utf-8")
    assert [m.code for m in loaded(root, tmp_path / "cache").match("zorglectomie")] == ["A1"]


def test_nothing_but_the_kept_file_stays_in_the_cache(root: Path, tmp_path: Path) -> None:
    loaded(root, tmp_path / "cache")
    assert os.listdir(tmp_path / "cache") == [cache_name(root, None)]  # noqa: PTH208


def test_another_process_finds_the_same(root: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from consore.referentials import terminology;"
        "print([m.code for m in terminology(Path(sys.argv[1]), Path(sys.argv[2])).match('zorglectomies')])"
    )
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", script, str(root), str(tmp_path / "cache")], capture_output=True, text=True
        )
        assert done.stdout.strip() == "['A1']", done.stderr
