#!/usr/bin/env bash
# Installs the Debian packages that are missing; says nothing and is done at once when none is.
set -euo pipefail

packages=(
  build-essential cmake ninja-build ccache git
  libprotozero-dev libexpected-dev libboost1.81-dev
  libjpeg62-turbo-dev libpng-dev zlib1g-dev libgtest-dev libbenchmark-dev
)
if [[ ${1:-} == check ]]; then
  packages+=(clang-19 clang-format-19 libclang-rt-19-dev g++-aarch64-linux-gnu qemu-user googletest python3-minimal)
fi

missing=()
for package in "${packages[@]}"; do
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
done
((${#missing[@]} == 0)) && exit 0

sudo=()
if ((EUID != 0)); then
  command -v sudo >/dev/null || { echo "setup: root or sudo is needed to install: ${missing[*]}" >&2; exit 1; }
  sudo=(sudo)
fi
echo "setup: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${sudo[@]}" apt-get update -qq
"${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
