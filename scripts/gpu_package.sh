#!/usr/bin/env bash
# Builds and packs what `gpu_check.sh` runs on a machine with a GPU: `scripts/gpu_package.sh [FILE]`, default
# target/gpu/zsad-gpu.tar.xz. Kernels are compiled for compute capability 8.0 as PTX, which later GPUs compile for themselves.
# Takes some twenty minutes of processor time the first time, of which the kernels take seven.
set -euo pipefail
cd "$(dirname "$0")/.."
file=${1:-target/gpu/zsad-gpu.tar.xz}
# The program that starts everywhere, where programs are built else.
cargo build --workspace --release --bin zsad
plain=$(cargo metadata --no-deps --format-version 1 |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')/release/zsad
export CARGO_TARGET_DIR=${ZSAD_GPU_TARGET_DIR:-$PWD/target/gpu}
. scripts/cuda_toolkit.sh
cargo build --workspace --release --features zsad-runner/cuda --bin zsad-cuda --example device_check --example meta_step
built=$CARGO_TARGET_DIR/$CARGO_BUILD_TARGET/release

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
to=$folder/zsad-gpu
mkdir "$to"
cp "$plain" "$built/zsad-cuda" "$built/examples/device_check" "$built/examples/meta_step" "$to"
strip "$to"/*
cp scripts/gpu_check.sh scripts/bench_vs_torch.py experiments/acr_omniglot.yaml LICENSE-MIT LICENSE-APACHE "$to"
# CUDA's runtime is linked into the programs, as its licence allows.
cp "$CUDA_HOME"/../../nvidia_cuda_runtime-*.dist-info/licenses/License.txt "$to/LICENSE-CUDA-RUNTIME"
mkdir -p "$(dirname "$file")"
# The programs hold the same kernels: what is seen as far back as all of them are long is packed once.
tar -C "$folder" -c zsad-gpu | xz --lzma2=preset=3,dict=384MiB >"$file"
size=$(stat -c %s "$file")
echo "$file: $((size / 1048576)) MiB"
[ "$size" -le $((60 * 1048576)) ] || { echo "more than 60 MiB" >&2; exit 1; }
