#!/usr/bin/env bash
# Type-checks the `cuda` feature of a crate (zsad-nn, or the one named) on a machine without GPU or CUDA.
# A stand-in nvcc lets candle's build scripts run; it compiles no kernel, and what is built here must never be shipped.
# Set CUDA_CHECK_TARGET_DIR to keep the build elsewhere than in target/cuda-check.
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
cat >"$bin/nvcc" <<'EOF'
#!/usr/bin/env bash
case " $* " in *" --version "*) printf '\n\n\nCuda compilation tools, release 13.0, V13.0.0\n'; exit;; esac
while [ $# -gt 0 ]; do case $1 in -o) o=$2;; --output-directory) d=$2;; --lib) lib=1;; *.cu) s=$(basename "$1" .cu);; esac; shift; done
if [ -n "${d:-}" ]; then : >"$d/$s.ptx"; elif [ -n "${lib:-}" ]; then ar rcs "$o"; else : >"$o"; fi
EOF
chmod +x "$bin/nvcc"
export PATH="$bin:$PATH" CUDA_COMPUTE_CAP=80 CARGO_TARGET_DIR="${CUDA_CHECK_TARGET_DIR:-target/cuda-check}"
cargo check -p "${1:-zsad-nn}" --features cuda
