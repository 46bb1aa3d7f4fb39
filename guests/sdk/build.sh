#!/bin/sh
# build.sh KIND SOURCE OUTPUT: KIND is hyperapp or hybrid; SOURCE a C file, or the folder of a Rust crate.
set -eu
sdk=$(cd "$(dirname "$0")" && pwd)
lib=$sdk/../lib
kind=$1 source=$2 output=$3
link="-nostdlib -static -Wl,-T,$lib/hyperapp.ld -Wl,--build-id=none"
case $kind in hyperapp | hybrid) ;; *) echo "build.sh: KIND must be hyperapp or hybrid, not $kind" >&2; exit 2 ;; esac
if [ -d "$source" ]; then
    flags="-C relocation-model=static"
    if [ "$kind" = hyperapp ]; then
        flags="$flags -C link-self-contained=no -C link-arg=-nostartfiles"
        for flag in $link; do flags="$flags -C link-arg=$flag"; done
    fi
    target=${CARGO_TARGET_DIR:-$source/target}
    CARGO_TARGET_DIR=$target RUSTFLAGS=$flags cargo build --quiet --offline --release --target x86_64-unknown-linux-musl \
        --manifest-path "$source/Cargo.toml"
    cp "$target/x86_64-unknown-linux-musl/release/my-$kind" "$output"
elif [ "$kind" = hyperapp ]; then
    gcc -std=gnu11 -O2 -Wall -Wextra -I"$lib" -DHEDRA_HYPERAPP -ffreestanding -fno-pic -no-pie -fno-stack-protector -fcf-protection=none \
        -fno-asynchronous-unwind-tables -fno-tree-loop-distribute-patterns -Wl,-z,noexecstack -s $link "$source" -o "$output"
else
    gcc -std=gnu11 -O2 -Wall -Wextra -I"$lib" -static -s "$source" -o "$output"
fi
