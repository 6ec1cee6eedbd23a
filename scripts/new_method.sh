#!/bin/sh
# A new method from the template: one new file, and its lines in the lists of methods.
#   scripts/new_method.sh NAME        (NAME: lower case letters, digits and underscores)
# Then edit crates/models/src/methods/NAME.rs; YOUR_METHOD.md goes on from there.
set -eu

name=${1:-}
case $name in
'' | *[!a-z0-9_]* | [!a-z]*)
    echo "usage: scripts/new_method.sh NAME, with NAME of lower case letters, digits and underscores" >&2
    exit 2
    ;;
esac
models=$(dirname "$0")/../crates/models
methods=$models/src/methods
registry=$models/src/lib.rs
if [ -e "$methods/$name.rs" ] || [ -d "$methods/$name" ] || grep -q "^pub mod $name;" "$methods/mod.rs"; then
    echo "$name is there already: choose another name" >&2
    exit 1
fi

camel=$(echo "$name" | awk -F_ '{ for (i = 1; i <= NF; i++) printf "%s", toupper(substr($i, 1, 1)) substr($i, 2) }')
sed -e "s/new_method/$name/g" -e "s/NewMethod/$camel/g" "$models/template/method.rs" >"$methods/$name.rs"

# insert FILE LINE PATTERN: LINE into the sorted lines of FILE that match PATTERN, after the last one that comes before it.
insert() {
    awk -v new="$2" -v pattern="$3" '
        function word(line) { gsub(/^ *(pub mod )?&?|(::DEF,|;)$/, "", line); return line }
        $0 ~ pattern && !done && word($0) > word(new) { print new; done = 1 }
        matched && $0 !~ pattern && !done { print new; done = 1 }
        $0 ~ pattern { matched = 1 }
        { print }
        END { if (!done) print new }
    ' "$1" >"$1.new"
    mv "$1.new" "$1"
}
insert "$methods/mod.rs" "pub mod $name;" '^pub mod [a-z0-9_]+;$'
insert "$registry" "    &$name::DEF," '^    &[a-z0-9_]+::DEF,$'
echo "wrote $methods/$name.rs and its lines in $methods/mod.rs and $registry"
echo "next: edit it, then: cargo test --workspace --release --lib --test conformance $name"
