#!/usr/bin/env bash
# Builds the program with CUDA and the checks that go with it on a machine without GPU and without CUDA, and starts them:
# without a driver, and with a stand-in for one as far as CUDA's first call. `scripts/check_cuda.sh [ZSAD]`, where ZSAD is the
# program without CUDA (default target/release/zsad).
#
# A stand-in nvcc lets candle's build scripts run; it compiles no kernel, and what is built here must never be shipped. So the
# build lies in a folder of its own, target/cuda-check or $CUDA_CHECK_TARGET_DIR.
set -euo pipefail
cd "$(dirname "$0")/.."
zsad=$(realpath "${1:-target/release/zsad}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/nvcc" "$work/package"
cat >"$work/nvcc/nvcc" <<'NVCC'
#!/usr/bin/env bash
case " $* " in *" --version "*) printf '\n\n\nCuda compilation tools, release 13.0, V13.0.0\n'; exit;; esac
while [ $# -gt 0 ]; do case $1 in -o) o=$2;; --output-directory) d=$2;; --lib) lib=1;; *.cu) s=$(basename "$1" .cu);; esac; shift; done
if [ -n "${d:-}" ]; then : >"$d/$s.ptx"; elif [ -n "${lib:-}" ]; then ar rcs "$o"; else : >"$o"; fi
NVCC
chmod +x "$work/nvcc/nvcc"
export CARGO_TARGET_DIR="${CUDA_CHECK_TARGET_DIR:-$PWD/target/cuda-check}"
scripts/cuda_stand_ins.sh "$work/link"
ar rcs "$work/link/libcudart.a"
# No time is spent on optimising what is started once.
PATH="$work/nvcc:$PATH" CUDA_COMPUTE_CAP=80 LIBRARY_PATH="$work/link" CARGO_PROFILE_DEV_DEBUG=0 \
    cargo build --workspace --features zsad-runner/cuda --bin zsad-cuda --example device_check --example meta_step
built=$CARGO_TARGET_DIR/debug
cp "$zsad" "$built/zsad-cuda" "$built/examples/device_check" "$built/examples/meta_step" scripts/gpu_check.sh "$work/package"

# Runs a command, which must end with exit code 2 and say each of the words.
refused() {
    local said ended=0 word
    said=$("${@:2}" 2>&1) || ended=$?
    [ "$ended" = 2 ] || { echo "exit code $ended instead of 2: ${*:2}"$'\n'"$said" >&2; exit 1; }
    while read -r word; do
        [[ $said == *"$word"* ]] || { echo "\`$word\` is not said: ${*:2}"$'\n'"$said" >&2; exit 1; }
    done <<<"$1"
}
cat >"$work/x.yaml" <<'YAML'
experiment: x
datasets: digits
methods: knn
protocol: {batch_size: 9, contamination: 0.2}
seeds: 0
YAML
export ZSAD_CACHE=$work/cache
run=("$work/package/zsad" run "$work/x.yaml" --out "$work/out" --store "$work/store")
if ! ldconfig -p 2>/dev/null | grep -q 'libcuda\.so\.1'; then
    refused $'libcuda.so.1\nNVIDIA driver' "${run[@]}" --device cuda:0
    refused $'libcuda.so.1\nnot on this machine' "$work/package/gpu_check.sh" "$work/check"
fi
export LD_LIBRARY_PATH=$work/link
refused $'device cuda:0 cannot be opened\nCUDA_ERROR_NO_DEVICE' "${run[@]}" --device cuda:0
refused $'device cuda:0 cannot be opened\nCUDA_ERROR_NO_DEVICE' "$work/package/gpu_check.sh" "$work/check"
"$work/package/zsad-cuda" "${run[@]:1}" --device cpu >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }
echo "zsad-cuda builds, starts, and says what is missing"
