#!/bin/sh
# A new method from the template: one new file, and its lines in the registry.
#   scripts/new_method.sh NAME        (NAME: lower case letters, digits and underscores)
# Then edit crates/models/src/NAME.rs; cargo test -p zsad-models --release NAME runs the conformance suite over it.
set -eu

name=${1:-}
case $name in
'' | *[!a-z0-9_]* | [!a-z]*)
    echo "usage: scripts/new_method.sh NAME, with NAME of lower case letters, digits and underscores" >&2
    exit 2
    ;;
esac
models=$(dirname "$0")/../crates/models
file=$models/src/$name.rs
registry=$models/src/lib.rs
if [ -e "$file" ] || [ -d "$models/src/$name" ] || grep -q "mod $name;" "$registry"; then
    echo "$name is there already: choose another name" >&2
    exit 1
fi

camel=$(echo "$name" | awk -F_ '{ for (i = 1; i <= NF; i++) printf "%s", toupper(substr($i, 1, 1)) substr($i, 2) }')
sed -e "s/new_method/$name/g" -e "s/NewMethod/$camel/g" "$models/template/method.rs" >"$file"

# Both lists are sorted: the new lines go before the first name that comes after them.
awk -v name="$name" '
    function later(line) { gsub(/^ *(pub )?(mod )?&?|(::DEF,|;)$/, "", line); return line > name }
    !declared && /^(pub )?mod [a-z0-9_]+;$/ && later($0) { print "pub mod " name ";"; declared = 1 }
    /mod [a-z0-9_]+;$/ { modules = 1 }
    modules && /^$/ && !declared { print "pub mod " name ";"; declared = 1 }
    /^pub const METHODS/ { listing = 1 }
    listing && !listed && /^    &[a-z0-9_]+::DEF,$/ && later($0) { print "    &" name "::DEF,"; listed = 1 }
    listing && /^\];/ { if (!listed) print "    &" name "::DEF,"; listing = 0 }
    { print }
' "$registry" >"$registry.new"
mv "$registry.new" "$registry"
echo "wrote $file and its lines in $registry"
echo "next: edit it, then: cargo test -p zsad-models --release $name"
