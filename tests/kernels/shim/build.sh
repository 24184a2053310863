#!/usr/bin/env bash
# Compiles the kernels for the host into a shared object: build.sh OUT [more sources and flags]
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
out=$1
shift
# No fused multiplication and addition, as on the GPU; no checks of the stack, which fibers have many of.
exec "${CXX:-g++}" -std=c++17 -O2 -Wall -Wextra -Wno-unknown-pragmas -ffp-contract=off -fno-stack-protector -fcf-protection=none -pthread \
    -shared -fPIC -fvisibility-inlines-hidden -I "$here" -I "$here/../../../kernels" -o "$out" \
    "$here/shim.cpp" "$here/kernels.cpp" "$@"
