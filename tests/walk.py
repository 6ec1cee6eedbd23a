#!/usr/bin/env python3
"""Walks a chapter of a Markdown file literally: runs its commands and puts its code where it says.

    tests/walk.py YOUR_METHOD.md "In Python"      # in the folder where a reader would do it

Fenced blocks in order: `sh` is run line by line; `python FILE` and `rust FILE` take the place of the function of the same name
in FILE; `yaml FILE` is written to FILE. Any command that fails ends the walk.
"""

import re
import subprocess
import sys
from pathlib import Path

FENCE = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.M | re.S)
DEFINED = re.compile(r"^( *)(?:def|fn) (\w+)\(", re.M)


def chapter(text, title):
    parts = re.split(r"^## (.*)$", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))[title]


def function(text, name):
    """Start and end of a function with the comments above it, by its indentation."""
    lines = text.splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if re.match(rf" *(def|fn) {name}\(", line))
    indent = re.match(" *", lines[first])[0]
    last = first + 1
    while last < len(lines) and (not lines[last].strip() or lines[last].startswith(indent + " ")):
        last += 1
    if lines[first].lstrip().startswith("fn"):
        last += 1  # its brace
    while lines[last - 1].strip() == "":
        last -= 1
    while lines[first - 1].lstrip().startswith("///"):
        first -= 1
    return len("".join(lines[:first])), len("".join(lines[:last]))


def walk(text):
    for language, name, body in FENCE.findall(text):
        if language == "sh":
            for line in body.splitlines():
                print(f"$ {line}", flush=True)
                subprocess.run(line, shell=True, check=True)
        elif language in ("python", "rust"):
            path = Path(name)
            old = path.read_text()
            start, end = function(old, DEFINED.search(body)[2])
            path.write_text(old[:start] + body + old[end:])
            print(f"put into {name}", flush=True)
        elif language == "yaml":
            Path(name).write_text(body)
            print(f"wrote {name}", flush=True)
        else:
            sys.exit(f"a block of {language}: nothing is known of it")


walk(chapter(Path(sys.argv[1]).read_text(), sys.argv[2]))
