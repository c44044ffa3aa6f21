"""No path leads out of a Folder, whatever it looks like and whatever links lie in it (RELIABILITY S5)."""

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from config.errors import Invalid
from memory.files.paths import Folder, checked_path

HOSTILE = [
    "..", "../x", "a/../x", "a/../../x", "./../x", "a/..", "..\\x", "a\\..\\..\\x", "%2e%2e/x", "%2E%2E%2Fx",
    "%252e%252e/x", "..%2fx", "a/%2e%2e/%2e%2e/x", ".. /x", "a/ .. /x", "/x", "//x", "///etc/passwd",
    "\\x", "\\\\host\\x",
    "C:\\x", "c:x", "C:/x", "file:x", "file:///etc/passwd", "https://example.com/x", "data:,x",
    "a\x00b", "a\nb", "\x1f",
    "", " ", ".", "./", "/", "//", "a" * 2000, "b/" + "é" * 200, "%00", "a/%00/b",
]  # fmt: skip
FINE = [
    "a",
    "a/b.txt",
    "a//b",
    "./a",
    "a/./b",
    "…",
    "documents/Übung 1.pdf",
    "reports/année 2024.txt",
    "שלום/你好 .txt",
    "e\u0301",
    "👩\u200d👧.png",
    " a",
    ".hidden",
    "a..b",
    "...",
    "100%",
    "a b",
]


# One of each kind: what str.isspace() knows, spaces of other widths, zero width, directions, fillers, and all together.
BLANKS = [
    " ", "   ", "\t", "\u0085", "\u00a0", "\u1680", "\u2000", "\u2003", "\u2009", "\u200a", "\u2028",
    "\u2029", "\u202f", "\u205f", "\u3000", "\u200b", "\u200c", "\u200d", "\u2060", "\ufeff", "\u00ad", "\u180e",
    "\u200e", "\u202e", "\u2066", "\u115f", "\u3164", "\uffa0", "\u2800", " \u00a0\u200b\u3000", "%20",
    "%C2%A0", "%2520",
]  # fmt: skip


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize("place", ["{}", "docs/{}", "{}/report.pdf", "docs/{}/report.pdf", "docs\\{}", "./{}"])
def test_a_blank_name_is_refused_wherever_it_stands(blank: str, place: str) -> None:
    with pytest.raises(Invalid) as refusal:
        checked_path(place.format(blank))
    assert list(refusal.value.context["errors"]) == ["path"]


@pytest.mark.parametrize("path", HOSTILE)
def test_a_hostile_path_is_refused(path: str, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    with pytest.raises(Invalid):
        checked_path(path)
    with pytest.raises(Invalid):
        Folder(tmp_path / "root").write(path, b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["root"] and not list((tmp_path / "root").iterdir())


@pytest.mark.parametrize("path", FINE)
def test_an_ordinary_path_is_written_and_read(path: str, tmp_path: Path) -> None:
    folder = Folder(tmp_path / "root")
    folder.write(path, b"hello")
    assert (folder.read(path), folder.read(path, 1, 3)) == (b"hello", b"ell")
    folder.delete(path)
    assert not folder.exists(path)


def test_no_link_is_followed(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir(), outside.mkdir()
    (outside / "secret").write_text("secret")
    (root / "file").symlink_to(outside / "secret")
    (root / "folder").symlink_to(outside)
    folder = Folder(root)
    for path in ("file", "folder/secret"):
        with pytest.raises(OSError):
            folder.read(path)
    with pytest.raises(OSError):
        folder.write("folder/new", b"x")
    folder.write("file", b"mine")  # replaces the link itself
    assert (outside / "secret").read_text() == "secret" and [p.name for p in outside.iterdir()] == ["secret"]


def test_a_folder_that_is_swapped_for_a_link_meanwhile_leads_nowhere(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    (root / "a").mkdir(parents=True), outside.mkdir()
    folder, over = Folder(root), threading.Event()

    def swap() -> None:
        number = 0
        while not over.is_set():
            number += 1
            with suppress(OSError):  # the writer makes the folder anew, at any moment
                os.rename(root / "a", root / f"old-{number}")
                os.symlink(outside, root / "a")
                os.unlink(root / "a")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        for number in range(1000):
            try:
                folder.write(f"a/{number}", b"x")
            except OSError:
                continue
    finally:
        over.set()
        swapper.join()
    assert list(outside.iterdir()) == []


def test_what_is_not_there_is_not_found_and_no_descriptor_is_closed_twice(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    with pytest.raises(FileNotFoundError):
        folder.read("nowhere/file")
    folder.delete("nowhere/file")
    assert not folder.exists("nowhere/file")
