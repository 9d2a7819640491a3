"""Progress fits any terminal, and a file gets a few plain lines, each once."""

import io
import re

import pytest

from resviz.commands.progress import Bar, line
from resviz.ui.making import PROGRESS

WORK = {"done": 430, "total": 1000, "unit": "steps", "seconds": 3.0}
NEWS = {"name": "a-long-name-of-a-film.mp4", "note": "loss 0.043, miss 0.21"}


class Terminal(io.StringIO):
    """So wide, and drawn upon."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("told", [{}, NEWS, {"ascii_only": True}])
def test_a_line_fits_and_has_a_bar(told):
    for width in (*range(20, 121), 200, 1000):
        drawn = line(**WORK, **told, width=width)
        assert len(drawn) < width
        share, bar = re.search(r"(\d+)% ([█#]+[▏▎▍▌▋▊▉\d]? *)", drawn).groups()
        assert share == "43"
        assert len(bar.rstrip(" ")) >= 2
        assert width < 30 or "430/1000" in drawn
        assert width < 60 or "[00:03<00:03]" in drawn
        if width >= 120 and told is NEWS:
            assert drawn.startswith(NEWS["name"])
            assert drawn.endswith(NEWS["note"])


def test_a_plain_line_says_everything():
    told = line(**WORK, **NEWS)
    assert told == f"{NEWS['name']}: 43% 430/1000 [00:03<00:03] 143 steps/s, {NEWS['note']}"
    assert PROGRESS.search(told).groups() == ("430", "1000")  # what the page reads


def test_the_rate_is_of_what_was_done_here():
    assert "[00:10<00:10] 1 runs/s" in line(30, 40, "runs", 10.0, before=20)
    assert "[00:00<?]" in line(20, 40, "runs", 0.0, before=20)


def lines_of(file: io.StringIO) -> list[str]:
    return file.getvalue().splitlines()


def test_a_file_gets_a_line_a_tenth_each_once():
    file = io.StringIO()
    with Bar(1000, "steps", file=file, clock=lambda: 0.0) as bar:
        for done in range(1001):
            bar.to(done)
    told = [text.partition("%")[0] for text in lines_of(file)]
    assert told == ["10", "20", "30", "40", "50", "60", "70", "80", "90", "100"]
    assert "\r" not in file.getvalue()


def test_what_takes_long_says_more_but_ever_less_often():
    file, now = io.StringIO(), [0.0]
    with Bar(10**6, "steps", file=file, clock=lambda: now[0]) as bar:
        for done in range(3600):
            now[0] = float(done)
            bar.to(done)
    assert 30 < len(lines_of(file)) < 80
    assert len(set(lines_of(file))) == len(lines_of(file))


def test_what_is_done_already_is_told_once():
    file = io.StringIO()
    with Bar(40, "runs", done=40, file=file) as bar:
        bar.to(40)
    assert lines_of(file) == ["100% 40/40 [00:00<?] 0 runs/s"]


def test_a_terminal_has_one_line():
    file, now = Terminal(), [0.0]
    with Bar(10, "steps", file=file, clock=lambda: now[0]) as bar:
        for done in range(11):
            now[0] += 1.0
            bar.to(done, "x" * (10 - done))
    text = file.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert "10/10" in text.rpartition("\r")[2]


def test_quiet_says_nothing_and_neither_does_what_never_begins():
    file = io.StringIO()
    with Bar(10, "steps", quiet=True, file=file) as bar:
        bar.to(5)
    with Bar(None, "pictures", file=file):
        pass
    assert file.getvalue() == ""


def test_a_watcher_that_left_is_no_matter():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    with Bar(10, "steps", file=Gone()) as bar:
        bar.to(10)
