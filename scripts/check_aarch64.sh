#!/usr/bin/env bash
# Builds the kernels for 64-bit Arm and runs their tests under emulation. On Debian or Ubuntu as root it installs what it needs.
#
#   scripts/check_aarch64.sh            # build, and run the kernels' tests
#   scripts/check_aarch64.sh check      # only see that everything compiles
#
# Arm takes the portable kernels, which the compiler vectorises for NEON. Not part of .ci/run: the emulated tests, and the
# dependencies built a second time, take longer than all the rest.
set -euo pipefail
cd "$(dirname "$0")/.."

target=aarch64-unknown-linux-gnu
if ! command -v aarch64-linux-gnu-gcc >/dev/null || ! command -v qemu-aarch64 >/dev/null; then
    apt-get install -y --no-install-recommends gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
fi
rustup target list --installed | grep -qx "$target" || rustup target add "$target"

export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
# gemm-f16 is written in half-precision instructions, which Linux's baseline lacks and every server core of today has.
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUSTFLAGS="-C target-feature=+fp16,+fhm"
if [ "${1:-}" = check ]; then
    cargo check --release --target "$target" -p zsad-nn -p zsad-backbones --lib
else
    cargo test --release --target "$target" -p zsad-nn --lib --test gradients --test torch_parity --test determinism
    cargo test --release --target "$target" -p zsad-backbones --lib --test backbone
fi
