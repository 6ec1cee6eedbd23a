"""Distance to the 5th nearest neighbour by scikit-learn, as an external method of zsad (see README.md)."""

import argparse
from pathlib import Path

import numpy as np
from sklearn.neighbors import NearestNeighbors

parser = argparse.ArgumentParser()
parser.add_argument("--k", type=int, default=5)
for name in ("--fit", "--batch", "--out"):
    parser.add_argument(name, type=Path, required=True)
args = parser.parse_args()


def rows(path):
    x = np.load(path)["X"]
    return x.reshape(len(x), -1)


batch = rows(args.batch)
if args.fit.exists():  # fit: pool
    pool = rows(args.fit)
    distances, _ = NearestNeighbors(n_neighbors=min(args.k, len(pool))).fit(pool).kneighbors(batch)
else:  # fit: batch, where a point is no neighbour of itself
    distances, _ = NearestNeighbors(n_neighbors=min(args.k, len(batch) - 1)).fit(batch).kneighbors()
np.savez(args.out, scores=distances[:, -1])
