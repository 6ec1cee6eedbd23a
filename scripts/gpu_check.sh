#!/usr/bin/env bash
# All that needs a GPU, in under eight minutes, on a machine with NVIDIA's driver and neither Rust nor network:
#
#     ./gpu_check.sh [OUT]          (from the unpacked package of `just gpu-package`; OUT: default gpu_check)
#
#   parity       every layer, loss and optimiser, forward and backward, beside the processor: 1e-4 relative
#   steps        100 steps of every meta-step configuration beside PyTorch's on the same GPU; wants python3 with torch and numpy
#   omniglot     ACR's published 10,000 steps on Omniglot, which comes with the program, and the AUROC on unseen characters
#   conformance  the conformance suite of every trained method
#
# Leaves OUT/sheet.json, with what each of them found, and exits 0 where all is well, 1 where one failed, 2 where nothing could
# be started. $DEVICE (default cuda:0) names the GPU. Wants driver 580 or newer, and cuBLAS and cuRAND of CUDA 13, as a toolkit
# or a PyTorch built for CUDA 13 has them: they are looked for beside python3's packages.
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-gpu_check}
device=${DEVICE:-cuda:0}
mkdir -p "$out" || exit 2
out=$(cd "$out" && pwd)
say() { printf '\n== %s\n' "$*"; }

# CUDA's libraries, where the system does not know them: those of python3's packages.
missing() { ldd "$here/zsad-cuda" "$here/device_check" "$here/meta_step" | grep -F 'not found' | awk '{print $1}' | sort -u; }
if [ -n "$(missing | grep -v '^libcuda\.so')" ] && command -v python3 >/dev/null; then
    wheels=$(python3 - <<'PY'
import glob, sys
print(":".join(d for p in sys.path for d in glob.glob(p + "/nvidia/*/lib") + glob.glob(p + "/nvidia/*/lib/x86_64")))
PY
)
    export LD_LIBRARY_PATH="$wheels${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
fi
if [ -n "$(missing)" ]; then
    # shellcheck disable=SC2046 # names of libraries, a word each
    echo "error: not on this machine: $(echo $(missing)); libcuda comes with NVIDIA's driver, the others with CUDA 13 or a PyTorch for it" >&2
    exit 2
fi

# One part: its name, the seconds it may take, its command. Its output goes to OUT/NAME.log, what it found to OUT/NAME.json.
well=true
started=$SECONDS
sheet="{\"device\": \"$device\""
part() {
    local name=$1 limit=$2 at=$SECONDS ended found=null
    shift 2
    say "$name"
    timeout --kill-after=5 "$limit" "$@" 2>&1 | tee "$out/$name.log"
    ended=${PIPESTATUS[0]}
    [ "$ended" = 124 ] && echo "$name was stopped after $limit s" | tee -a "$out/$name.log"
    [ "$ended" = 0 ] || well=false
    [ -s "$out/$name.json" ] && found=$(cat "$out/$name.json")
    sheet+=", \"$name\": {\"exit\": $ended, \"seconds\": $((SECONDS - at)), \"found\": $found}"
    return "$ended"
}

rm -f "$out"/{parity,conformance,omniglot,steps}.json
part parity 60 "$here/device_check" parity --device "$device" --json "$out/parity.json"
# Exit code 2: the device cannot be opened, and so it will be with the rest.
[ $? = 2 ] && exit 2

if python3 -c 'import torch, numpy; assert torch.cuda.is_available()' 2>/dev/null; then
    part steps 100 python3 "$here/bench_vs_torch.py" --program "$here/meta_step" --device "$device" --threads 1 --rounds 1 --iters 100 \
        --variant loop --variant batched --json "$out/steps.json"
else
    say "steps: left out, there is no python3 with torch that sees a GPU"
    sheet+=', "steps": null'
fi

# Trains and scores; then the mean AUROC of each method, from the table of results, as JSON.
omniglot() {
    "$here/zsad" run "$here/acr_omniglot.yaml" --profile gpu_check --device "$device" --out "$out/omniglot" --store "$out/store" || return
    sed 's/"[^"]*"//g' "$out/omniglot/results.csv" | awk -F, '
        NR == 1 { for (i = 1; i <= NF; i++) at[$i] = i; next }
        { key = $at["method"] "\", \"contamination\": " $at["contamination"]; n[key]++; sum[key] += $at["auroc"] }
        END { printf "["; for (k in n) printf "%s{\"method\": \"%s, \"auroc\": %.5f}", c++ ? ", " : "", k, sum[k] / n[k]; print "]" }' \
        >"$out/omniglot.json"
}
export -f omniglot
export here out device
part omniglot 170 bash -c omniglot

# What is left of the eight minutes; it keeps what it has found so far.
part conformance $((470 - (SECONDS - started))) "$here/device_check" conformance --device "$device" --json "$out/conformance.json"

gpu=$(nvidia-smi --query-gpu=name,driver_version --format=csv,noheader 2>/dev/null | head -1)
printf '%s, "gpu": "%s", "well": %s, "seconds": %d}\n' "$sheet" "$gpu" "$well" "$((SECONDS - started))" >"$out/sheet.json"
say "$out/sheet.json, after $((SECONDS - started)) s"
$well
