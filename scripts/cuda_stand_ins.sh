#!/usr/bin/env bash
# Makes libraries to link a program with CUDA against where they are missing, and to start it against where there is no driver:
# `scripts/cuda_stand_ins.sh FOLDER`. Each defines every function that cudarc declares of the real one and answers it with an
# error (the driver: that there is no device). They never travel: beside a real driver they would hide it.
set -euo pipefail
folder=$1
cd "$(dirname "$0")/.."
mkdir -p "$folder"
cudarc=$(cargo metadata --format-version 1 --features zsad-runner/cuda | python3 -c '
import json, os, sys
print(next(os.path.dirname(p["manifest_path"]) for p in json.load(sys.stdin)["packages"] if p["name"] == "cudarc"))')
# The module of its functions, their prefix, the error that they answer, the library's name.
stand_in() {
    grep -ohE "fn $2\w+" "$cudarc/src/$1/sys"/*.rs | sort -u | awk -v r="$3" '{print "int "$2"(void){return "r";}"}' |
        cc -w -shared -fPIC -x c - -Wl,-soname,"$4" -o "$folder/$4"
    ln -sf "$4" "$folder/${4%%.so*}.so"
}
stand_in driver cu 100 libcuda.so.1
stand_in cublas cublas 1 libcublas.so.13
stand_in cublaslt cublas 1 libcublasLt.so.13
stand_in curand curand 203 libcurand.so.10
stand_in nvrtc nvrtc 1 libnvrtc.so.13
