#!/usr/bin/env bash
# Setup: meson's way to cargo: builds the plugin and puts library and dependency file where ninja expects them.
set -euo pipefail

cargo=$1 source=$2 target_dir=$3 profile=$4 output=$5 depfile=$6
folder=$profile
[[ $profile != dev ]] || folder=debug

"$cargo" build --manifest-path "$source/Cargo.toml" --package gst-plugin-vdi --lib --profile "$profile" --target-dir "$target_dir"
cp "$target_dir/$folder/libgstvdi.so" "$output"
# cargo names its own output as the target; ninja wants the name of ours.
sed "1s|^[^:]*:|$output:|" "$target_dir/$folder/libgstvdi.d" >"$depfile"
