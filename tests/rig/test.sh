#!/usr/bin/env bash
# Everything that can be tested on one machine. Exit 1 when something failed; all parts run all the same.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# Prefer what rustup put there, as setup.sh does.
command -v cargo >/dev/null || PATH=$HOME/.cargo/bin:$PATH
bash tests/rig/setup.sh build demo slurm test
bash tests/rig/footage.sh target/rig/footage

failed=()
part() {
    local name=$1
    shift
    printf '\n== %s: %s\n' "$name" "$*"
    "$@" || failed+=("$name")
}

# nextest runs other tests beside those of Slurm and MPI, which take turns (.config/nextest.toml); cargo test one file
# after the other.
if command -v cargo-nextest >/dev/null; then
    part tests cargo nextest run --locked --no-fail-fast
else
    part tests cargo test --locked --no-fail-fast --lib --bins --tests
fi
part "doc tests" cargo test --locked --doc
part templates bash tests/rig/templates_test.sh

[ ${#failed[@]} = 0 ] || { printf '\nfailed: %s\n' "${failed[*]}" >&2; exit 1; }
