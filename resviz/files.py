"""Files are written whole, then moved: who reads one finds the old one or the new, never a part.

Nothing else in the package opens a file for writing, but for a lab's journal, which only grows.
"""

from __future__ import annotations

import os
import secrets
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

PART = ".{}.part"  # what is not whole yet: a short name, whatever the file's own
MOST_NAMES = 1000  # of a file that is to replace none


def write_whole(path: Path | str, data: bytes | str) -> None:
    """Write a file, of text in UTF-8: all of it and on the disk, or the old one stays as it is.

    A link stays a link: what it leads to is replaced, with the old file's permissions. Into a
    device or a pipe, which nothing can replace, the bytes are written as they are. Raises
    `OSError`, and then, or if it is interrupted, nothing half done is left.
    """
    path, data = Path(path), data.encode() if isinstance(data, str) else data
    there = _stat(path)
    if there is not None and not _replaceable(path, there):
        with path.open("wb") as file:
            file.write(data)
        return
    target = Path(os.path.realpath(path))
    if there is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "it may not be written", str(path))
    part = target.with_name(PART.format(secrets.token_hex(8)))
    try:
        with part.open("xb") as file:
            if there is not None:
                with suppress(OSError):  # not every disk has permissions
                    part.chmod(stat.S_IMODE(there.st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_beside(folders: Sequence[Path], name: str, data: bytes) -> Path:
    """Write a file that replaces none, in the first of `folders` that can hold it; where it is.

    It is called `name`, or where that is taken NAME-2, NAME-3, …. Raises the last `OSError` if no
    folder can.
    """
    failure = OSError("there is no folder")
    for folder in folders:
        try:
            path = _reserved(folder, name)
            try:
                write_whole(path, data)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
            return path
        except OSError as reason:
            failure = reason
    raise failure


def places(path: Path) -> list[Path]:
    """Where what could not be written to `path` may find room: beside it, here, or elsewhere."""
    return list(dict.fromkeys([path.absolute().parent, Path.cwd(), Path(tempfile.gettempdir())]))


def check_file(name: str, path: Path) -> None:
    """Refuse beforehand a file that could not be written afterwards: `ValueError`, a sentence.

    It begins with `name`, the option's.
    """
    try:
        there = _stat(path)
    except OSError as reason:
        raise ValueError(f"{name}: {_short(path)} cannot be written ({reason.strerror})") from None
    if there is not None and stat.S_ISDIR(there.st_mode):
        raise ValueError(f"{name}: {_short(path)} is a folder; a file's name is needed")
    if there is not None and stat.S_ISSOCK(there.st_mode):
        raise ValueError(f"{name}: {_short(path)} is a socket; a file's name is needed")
    if there is not None and not os.access(path, os.W_OK):
        raise ValueError(f"{name}: {_short(path)} may not be written")
    if there is None or _replaceable(path, there):
        check_folder(name, path, Path(os.path.realpath(path)).parent)


def check_folder(name: str, path: Path, folder: Path) -> None:
    """Refuse a folder in which `path` could not be written, by trying."""
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        raise ValueError(f"{name}: {_short(path)} lies in a folder that {what}")
    part = folder / PART.format(secrets.token_hex(8))
    try:
        part.touch(exist_ok=False)
    except OSError as reason:
        raise ValueError(
            f"{name}: {_short(path)} lies in a folder that may not be written ({reason.strerror})"
        ) from None
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def check_files(name: str, paths: Sequence[Path]) -> None:
    """`check_file` of each, and that no two are the same file."""
    seen: dict[object, Path] = {}
    for path in paths:
        check_file(name, path)
        there = _stat(path)
        own = (there.st_dev, there.st_ino) if there else os.path.normcase(os.path.realpath(path))
        if own in seen and (there is None or stat.S_ISREG(there.st_mode)):
            raise ValueError(
                f"{name}: {_short(seen[own])} and {_short(path)} are one file; allowed is each once"
            )
        seen[own] = path


def why_not(reason: OSError) -> str:
    """Why a file could not be written, without its name: 'No space left on device'."""
    return reason.strerror or str(reason) or type(reason).__name__


def _stat(path: Path) -> os.stat_result | None:
    """What is at the end of a path's links; None if there is nothing yet."""
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _replaceable(path: Path, there: os.stat_result) -> bool:
    """Whether it is a plain file that has a name: one that is only open somewhere has none."""
    with suppress(OSError):
        return stat.S_ISREG(there.st_mode) and os.path.samefile(os.path.realpath(path), path)
    return False


def _reserved(folder: Path, name: str) -> Path:
    """An empty file that was not there before."""
    for path in _names(folder, name):
        with suppress(FileExistsError):
            path.touch(exist_ok=False)
            return path
    raise FileExistsError(17, "all names are taken", str(folder / name))


def _names(folder: Path, name: str) -> Iterator[Path]:
    path = folder / name
    yield path
    for number in range(2, MOST_NAMES):
        yield path.with_stem(f"{path.stem}-{number}")


def _short(path: Path) -> str:
    """A path to be told: its end, if it is long."""
    text = str(path)
    return repr(text if len(text) <= 200 else f"…{text[-199:]}")
