#!/usr/bin/env python3
"""Writes the UCI optical digits for `crates/data/assets/digits.bin.gz`, from scikit-learn's copy of them.

A record is the digit and its 64 pixels of 0 ... 16, one byte each, in scikit-learn's order.

    pip install scikit-learn
    python3 scripts/make_digits.py crates/data/assets/digits.bin.gz
"""

import gzip
import sys

from sklearn.datasets import load_digits

digits = load_digits()
records = b"".join(bytes([label, *row]) for label, row in zip(digits.target, digits.data.astype(int)))
with open(sys.argv[1], "wb") as out:
    out.write(gzip.compress(records, 9, mtime=0))
