"""What a person takes home: a run, or two, as a page, film, picture, table, script or weights.

export(".gif", run, kept, Options(size=(960, 540)), progress)  # -> bytes
"""

from resviz.exports.formats import FORMATS, Format, export, known
from resviz.exports.options import Options, Progress

__all__ = ["FORMATS", "Format", "Options", "Progress", "export", "known"]
