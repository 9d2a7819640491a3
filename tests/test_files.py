"""Files are written whole, then moved, and only what can be replaced is."""

import ast
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from patience import PATIENCE

from resviz import files
from resviz.files import check_file, check_files, places, write_beside, write_whole

ROOT = Path(__file__).parents[1]
posix = pytest.mark.skipif(os.name == "nt", reason="no such files there")
# Beside files.py, who may open a file for writing, and why.
WRITERS = {
    "resviz/lab/journal.py": "it only grows, by whole rows",
    "resviz/commands/console.py": "what nobody reads any more goes to the null device",
}
WRITING = {"write_text", "write_bytes", "savez", "savez_compressed", "savetxt", "tofile", "dump",
           "savefig", "imsave", "write_html", "write_image", "truncate", "save_as"}  # fmt: skip
# Names that write, into something else than a file here.
INTO_MEMORY = {
    ("resviz/saved.py", "savez_compressed"): "into BytesIO",
    ("resviz/exports/film.py", "open"): "into BytesIO",
    ("resviz/exports/still.py", "savefig"): "into BytesIO",
}


def full(monkeypatch, after: int = 0) -> None:
    """From now on the disk is full when a file is to be put on it."""

    def sync(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", sync)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    write_whole(path, "old, Ω")
    assert path.read_text(encoding="utf-8") == "old, Ω"
    with monkeypatch.context() as patched:
        full(patched)
        with pytest.raises(OSError, match="No space left"):
            write_whole(path, b"new and longer")
    assert path.read_text(encoding="utf-8") == "old, Ω"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("what", [KeyboardInterrupt, SystemExit, MemoryError])
def test_whatever_ends_it_leaves_nothing_half_done(what, tmp_path, monkeypatch):
    path = tmp_path / "page.html"
    path.write_bytes(b"old")

    def ended(descriptor: int) -> None:
        raise what

    monkeypatch.setattr(files.os, "fsync", ended)
    with pytest.raises(what):
        write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_permissions_stay_or_are_the_usual_ones(mode, tmp_path):
    old, new = tmp_path / "old", tmp_path / "new"
    old.write_bytes(b"old")
    old.chmod(mode)
    before = os.umask(0o027)
    try:
        write_whole(old, b"x")
        write_whole(new, b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(old.stat().st_mode) == mode
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


@posix
def test_a_link_stays_a_link(tmp_path):
    file, link, dangling = (tmp_path / name for name in ("file", "link", "dangling"))
    file.write_bytes(b"old")
    link.symlink_to(file)
    dangling.symlink_to("made")
    write_whole(link, b"new")
    write_whole(dangling, b"new")
    assert link.is_symlink()
    assert dangling.is_symlink()
    assert file.read_bytes() == (tmp_path / "made").read_bytes() == b"new"


@posix
def test_a_device_stays_a_device(tmp_path):
    link = tmp_path / "run.npz"
    link.symlink_to(os.devnull)
    check_file("output", link)
    write_whole(link, b"gone")
    write_whole(os.devnull, b"gone")
    assert link.is_symlink()
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)
    assert list(tmp_path.iterdir()) == [link]


@posix
def test_into_a_pipe_the_bytes_go_as_they_are(tmp_path):
    pipe, came = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: came.append(pipe.read_bytes()))
    reader.start()
    check_file("output", pipe)
    write_whole(pipe, b"through")
    reader.join()
    assert came == [b"through"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_name_may_be_as_long_as_the_folder_allows(tmp_path):
    path = tmp_path / ("x" * 251 + ".npz")
    check_file("output", path)
    write_whole(path, b"long")
    assert path.read_bytes() == b"long"


def test_a_file_that_replaces_none_finds_room(tmp_path, monkeypatch):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    assert write_beside([here, there], "run.npz", b"1") == here / "run.npz"
    assert write_beside([here, there], "run.npz", b"2") == here / "run-2.npz"
    assert (here / "run.npz").read_bytes() == b"1"
    assert write_beside([tmp_path / "nowhere", there], "run.npz", b"3") == there / "run.npz"
    full(monkeypatch)
    with pytest.raises(OSError, match="No space left"):
        write_beside([here, there], "run.npz", b"4")
    assert len(list(here.iterdir())) == 2
    assert len(list(there.iterdir())) == 1


def test_room_is_looked_for_beside_the_file_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = places(tmp_path / "inside" / "run.gif")
    assert found[:2] == [tmp_path / "inside", tmp_path]


def refused(path, check=check_file) -> str:
    with pytest.raises(ValueError, match=r"^output: ") as caught:
        check("output", path)
    told = str(caught.value)
    assert "\n" not in told
    assert len(told) < 500
    return told


def test_what_could_not_be_written_is_refused_beforehand(tmp_path):
    file = tmp_path / "file"
    file.write_bytes(b"")
    assert "is a folder; a file's name is needed" in refused(tmp_path)
    assert "lies in a folder that does not exist" in refused(tmp_path / "no" / "x.npz")
    assert "cannot be written (Not a directory)" in refused(file / "x.npz")
    assert "cannot be written (File name too long)" in refused(tmp_path / ("x" * 300 + ".npz"))
    assert list(tmp_path.iterdir()) == [file]


@posix
def test_links_that_lead_nowhere_are_refused(tmp_path):
    turning, lost = tmp_path / "turning", tmp_path / "lost"
    turning.symlink_to(turning)
    lost.symlink_to("no/folder/file")
    assert "cannot be written (Too many levels" in refused(turning)
    assert "lies in a folder that does not exist" in refused(lost)


def test_a_folder_that_takes_no_file_is_refused(tmp_path, monkeypatch):
    def refuse(self, exist_ok=True):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "touch", refuse)
    assert "may not be written (Read-only file system)" in refused(tmp_path / "x.npz")


@posix
@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write all")
def test_what_is_protected_stays(tmp_path):
    path = tmp_path / "mine.npz"
    path.write_bytes(b"mine")
    path.chmod(0o400)
    assert "may not be written" in refused(path)
    with pytest.raises(PermissionError):
        write_whole(path, b"yours")
    assert path.read_bytes() == b"mine"


@posix
def test_two_names_of_one_file_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file, link = Path("run.npz"), Path("same.npz")
    link.symlink_to(file)
    assert "are one file; allowed is each once" in refused(
        [file, tmp_path / "run.npz"], check_files
    )
    assert "are one file" in refused([file, link], check_files)
    file.write_bytes(b"")
    assert "are one file" in refused([file, link], check_files)
    check_files("output", [file, Path("other.npz"), Path(os.devnull), Path(os.devnull)])


@posix
def test_a_run_that_does_not_fit_leaves_the_old_one(tiny_run, tmp_path):
    """A real limit on the size of files, in a process of its own."""
    path, more = tmp_path / "run.npz", tmp_path / "more.npz"
    tiny_run.save(path)
    before = path.read_bytes()
    script = (
        "import resource, sys\n"
        "from resviz.records import Run\n"
        "run = Run.load(sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "for path in sys.argv[1:]:\n"
        "    try: run.save(path)\n"
        "    except OSError as reason: print(reason.strerror)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), str(more)],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=PATIENCE,
    )  # fmt: skip
    assert done.stdout.splitlines() == ["File too large"] * 2
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


# ---- nobody else


def writes(tree: ast.AST) -> list[tuple[int, str]]:
    """Where a module writes into files by itself: lines, and what is called there."""
    found = []
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else None
        name = call.func.id if isinstance(call.func, ast.Name) else name
        words = {word.arg: word.value for word in call.keywords}
        place = 0 if isinstance(call.func, ast.Attribute) else 1  # of a path's mode, or of any
        mode = words.get("mode", call.args[place] if len(call.args) > place else None)
        mode = mode.value if isinstance(mode, ast.Constant) else None
        opens = name == "open" and isinstance(mode, str) and bool(set(mode) & set("wxa+"))
        if name in WRITING or opens or (name == "screenshot" and "path" in words):
            found.append((call.lineno, name))
    return found


def test_writing_is_found_where_it_is_done():
    code = 'open("x", "w"); path.open(mode="ab"); path.write_text("x"); np.savez(p, a=1); f.read()'
    assert [name for _, name in writes(ast.parse(code))] == ["open", "open", "write_text", "savez"]
    assert writes(ast.parse('open("x"); path.open("rb"); archive.open(name); Path("w")')) == []


def test_nobody_else_opens_a_file_for_writing():
    for path in (*ROOT.glob("resviz/**/*.py"), ROOT / "app.py", ROOT / "tests" / "screenshots.py"):
        name = path.relative_to(ROOT).as_posix()
        if name == "resviz/files.py" or name in WRITERS:
            continue
        found = writes(ast.parse(path.read_text(encoding="utf-8")))
        own = [(line, call) for line, call in found if (name, call) not in INTO_MEMORY]
        assert not own, f"{name} writes by itself: {own}; see files.write_whole"
