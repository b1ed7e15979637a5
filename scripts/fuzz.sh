#!/usr/bin/env bash
# Setup: looks for inputs that break a reader of bytes from outside, with libFuzzer and the stable compiler.
# FUZZ=name for one target, FUZZ_SECONDS for each (60), FUZZ_KEEP=1 puts what reached new code into fuzz/corpus/.
set -euo pipefail
cd "$(dirname "$0")/.."

host=$(rustc --print host-tuple)
built=${CARGO_TARGET_DIR:-target}/fuzz
# Coverage of edges and of what is compared with what. With a target named, build scripts and macros have none of it.
instruments="-Cpasses=sancov-module"
for pass in level=4 inline-8bit-counters pc-table trace-compares; do
  instruments+=" -Cllvm-args=-sanitizer-coverage-$pass"
done
RUSTFLAGS="$instruments" cargo build --profile fuzz --package vdi-fuzz --features libfuzzer --target "$host" --target-dir "$built"
fuzz=$built/$host/fuzz/fuzz

# The words of what is kept, since no comparison of texts tells libFuzzer what it lacked.
words() {
  { grep -ohE '[A-Za-z][A-Za-z0-9/_:-]{2,40}' "fuzz/corpus/$1.txt" || true; } | sort -u | sed 's/.*/"&"/'
}

for target in ${FUZZ:-$("$fuzz" 2> /dev/null)}; do
  folder=$built/corpus/$target
  mkdir -p "$folder" "$built/found"
  FUZZ_TARGET=$target FUZZ_UNPACK=$folder "$fuzz" 2> /dev/null
  words "$target" > "$built/$target.dict"
  echo "== $target"
  if ! FUZZ_TARGET=$target "$fuzz" "$folder" -max_total_time="${FUZZ_SECONDS:-60}" -max_len=4096 -timeout=10 -rss_limit_mb=4096 \
    -dict="$built/$target.dict" -artifact_prefix="$built/found/$target-" -print_final_stats=1 > "$built/$target.log" 2>&1; then
    tail -n 60 "$built/$target.log"
    echo "An input breaks $target. Mend the reader, and add the input to fuzz/regressions/$target.txt, escaped as in Rust's byte strings." >&2
    exit 1
  fi
  grep -E '^#[0-9]+.*DONE|stat::number_of_executed_units' "$built/$target.log"
  if [ -n "${FUZZ_KEEP:-}" ]; then
    chosen=$(mktemp -d)
    FUZZ_TARGET=$target "$fuzz" -set_cover_merge=1 -max_len=1024 "$chosen" "$folder" > "$built/$target.merge.log" 2>&1
    FUZZ_TARGET=$target FUZZ_PACK=$chosen "$fuzz" 2> /dev/null
    rm -r "$chosen"
  fi
done
