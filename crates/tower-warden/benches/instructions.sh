#!/usr/bin/env bash
# Instructions of a request in each case of benches/overhead.rs, by callgrind; the making of the request is taken off.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bench=${1:-}
if [ -z "$bench" ]; then
    cargo build --quiet --release -p tower-warden --bench overhead
    bench=$(find target/release/deps -name 'overhead-*' -type f -executable -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d ' ' -f 2)
fi

count() {
    valgrind --tool=callgrind --callgrind-out-file=/dev/null "$bench" --only "$1" "$2" 2>&1 | sed -n 's/.*Collected : \([0-9]*\).*/\1/p'
}
each() { echo $((($(count "$1" 3000) - $(count "$1" 1000)) / 2000)); }

made=$(each Request)
made_jwt=$(each RequestJwt)
identity=$(($(each Identity) - made))
echo "| case | instructions | over identity |"
echo "|---|---|---|"
for case in Bare Identity NotGuarded Unmapped CachedOpaque CachedJwt BadPath BadHeader BadVerb; do
    [ $case = CachedJwt ] && own=$(($(each $case) - made_jwt)) || own=$(($(each $case) - made))
    echo "| $case | $own | $((own - identity)) |"
done
