#!/usr/bin/env python3
"""Writes all drawings of Omniglot, small, for `crates/data/assets/omniglot/`, from the two original archives.

A drawing is made 28x28 as the data set's reader makes it (Pillow's bicubic filter), and its 256 grey levels become 16:
the nearest of 0, 17, 34 ... 255. Two pixels are a byte, the left one its high half; drawings stand one after the other in
the order of their sorted names. `characters.txt` has the alphabets in that order, each with its number of characters; the
characters of an alphabet are numbered from 01, and each has 20 drawings.

    pip install numpy pillow
    python3 scripts/make_omniglot.py data/omniglot crates/data/assets/omniglot
"""

import io
import lzma
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

DRAWINGS = 20
# Files of more than 1.5 MB are kept out of the repository, so the larger part is cut in two.
PIECES = {"images_background": ["background_1", "background_2"], "images_evaluation": ["evaluation"]}
# Literals here depend on the byte before them and little on their place.
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 4, "lp": 0, "pb": 0}]


def drawings(archive):
    """The names of a part's drawings, sorted."""
    visible = lambda name: all(not part.startswith((".", "__")) for part in name.split("/"))
    return sorted(name for name in archive.namelist() if name.endswith(".png") and visible(name))


def alphabets(names):
    """Alphabets with their number of characters; the characters are numbered from 01 and have 20 drawings each."""
    characters = list(dict.fromkeys(tuple(name.split("/")[-3:-1]) for name in names))
    counts = {}
    for alphabet, character in characters:
        counts[alphabet] = counts.get(alphabet, 0) + 1
        assert character == f"character{counts[alphabet]:02}", (alphabet, character)
    assert len(names) == DRAWINGS * len(characters)
    return counts


def packed(archive, name):
    """A drawing of 28x28 in 16 grey levels, two pixels a byte."""
    with Image.open(io.BytesIO(archive.read(name))) as image:
        pixels = np.asarray(image.convert("L").resize((28, 28), Image.BICUBIC), dtype=np.uint16)
    levels = ((pixels * 15 + 127) // 255).astype(np.uint8).reshape(-1, 2)
    return (levels[:, 0] << 4 | levels[:, 1]).tobytes()


source, target = Path(sys.argv[1]), Path(sys.argv[2])
target.mkdir(parents=True, exist_ok=True)
lines = []
for part, pieces in PIECES.items():
    with zipfile.ZipFile(source / f"{part}.zip") as archive:
        names = drawings(archive)
        all_of_them = [packed(archive, name) for name in names]
    lines += [f"{alphabet} {count}\n" for alphabet, count in alphabets(names).items()]
    characters = len(names) // DRAWINGS
    cuts = [DRAWINGS * (characters * i // len(pieces)) for i in range(len(pieces) + 1)]
    for piece, start, end in zip(pieces, cuts, cuts[1:]):
        content = b"".join(all_of_them[start:end])
        (target / f"{piece}.xz").write_bytes(lzma.compress(content, check=lzma.CHECK_CRC32, filters=FILTERS))
(target / "characters.txt").write_text("".join(lines))
