#!/usr/bin/env python3
"""Means over tables of ADBench of the numbers that Livernoche et al. (ICLR 2024) published for each of them.

    scripts/dte_means.py results/reference/dte_adbench_tables.csv > results/reference/dte_adbench_means.csv
"""

import csv
import statistics
import sys

# As in experiments/adbench_whole.yaml.
TABLES = """annthyroid campaign cardio landsat letter mammography mnist musk optdigits pageblocks pendigits satellite
satimage-2 shuttle thyroid vowels waveform yeast""".split()
# Where COPOD and ECOD have a published AUROC of 50.00 with no spread: a constant column made their scores undefined.
CONSTANT_COLUMNS = ["mnist", "optdigits"]

with open(sys.argv[1]) as file:
    rows = [row for row in csv.DictReader(file) if row["dataset"].removeprefix("ADBench/") in TABLES]
out = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]), lineterminator="\n")
out.writeheader()
for table, method in sorted({(row["table"], row["method"]) for row in rows}):
    all_of = [row for row in rows if (row["table"], row["method"]) == (table, method)]
    assert len(all_of) == len(TABLES), (table, method, len(all_of))
    for left_out in ([], CONSTANT_COLUMNS):
        of = [row for row in all_of if row["dataset"].removeprefix("ADBench/") not in left_out]
        mean = statistics.fmean(float(row["mean"]) for row in of)
        source = f"mean over {len(of)} tables of dte_adbench_tables.csv by scripts/dte_means.py"
        out.writerow(of[0] | {"dataset": f"ADBench/{len(of)} tables", "mean": f"{mean:.2f}", "std": "", "source": source})
