#!/usr/bin/env bash
# Compiles each kernel file to PTX with clang; no CUDA toolkit. ptx.sh [FOLDER], by default ptx/ beside this script.
# Each file says of what it was made: tests/kernels/ptx.rs reads it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
folder=${1:-ptx}
clang=${CLANG:-clang}
# sm_70 is the oldest GPU; newer ones take its PTX. PTX 6.0, that of clang 14, needs a driver of CUDA 9 at least.
# No fused multiplication and addition: the numbers are those of the CPU.
flags=(-x cuda --cuda-device-only --cuda-gpu-arch=sm_70 -fdeclspec -nocudainc -nocudalib
    -O3 -ffp-contract=off -Wall -Wextra -Werror -Wno-unknown-cuda-version -S)

mkdir -p "$folder"
for source in *.cu; do
    name=${source%.cu}
    "$clang" "${flags[@]}" -o "$folder/$name.part" "$source"
    {
        printf '// Made by make ptx. Do not edit.\n'
        printf '// sources: %s (SHA-256 of ptx.sh, device.h, %s)\n' "$(cat ptx.sh device.h "$source" | sha256sum | cut -d' ' -f1)" "$source"
        printf '// compiler: %s\n' "$("$clang" --version | head -n 1)"
        cat "$folder/$name.part"
    } >"$folder/$name.ptx"
    rm "$folder/$name.part"
done
