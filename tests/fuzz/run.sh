#!/bin/sh
# Builds every fuzz target on the stable toolchain and runs each for SECONDS (default 60).
# usage: tests/fuzz/run.sh [SECONDS]
set -eu
cd "$(dirname "$0")"
seconds=${1:-60}
host=$(rustc -vV | sed -n 's/^host: //p')

# A program of the tests writes the MIDI seeds; the bundled manifest and the pickles of the tiny
# pipeline are seeds themselves.
(cd ../.. && cargo build --workspace)
../../target/debug/midi_seeds corpus/midi_file
mkdir -p corpus/manifest
cp ../../models/bundled/live/manifest.toml corpus/manifest/
mkdir -p corpus/pickle
for part in notes_encoder continuous_encoder decoder; do
    weights=../diffusers/tiny/bin/$part/diffusion_pytorch_model.bin
    python3 -m zipfile -e "$weights" "target/pickles/$part"
    cp "target/pickles/$part/diffusion_pytorch_model/data.pkl" "corpus/pickle/$part.pkl"
done

# The flags of cargo-fuzz without its address sanitizer, which needs a nightly toolchain. With
# --target, build scripts are not instrumented.
RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
-Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
-Ccodegen-units=1" cargo build --release --bins --target "$host"

for source in fuzz_targets/*.rs; do
    target=$(basename "$source" .rs)
    mkdir -p "corpus/$target" "artifacts/$target"
    echo "== $target, $seconds s"
    "target/$host/release/$target" "corpus/$target" -artifact_prefix="artifacts/$target/" \
        -max_total_time="$seconds" -max_len=65536 -rss_limit_mb=1024 -print_final_stats=1
done
