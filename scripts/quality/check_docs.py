#!/usr/bin/env python3
"""Checks that what the Markdown files name is there: check_docs.py [ROOT]

Relative links lead to a file, and to a heading of it; paths of the source tree in backticks exist. Parts in capitals
(methods/NAME/NAME.h), <brackets> and wildcards stand for a choice: the folder before them exists. Exit code 1: one is
missing."""

import re
import subprocess
import sys
from pathlib import Path

LINK = re.compile(r"(?<!!)!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
SOURCE_FOLDERS = ("analysis", "cmake", "core", "datasets", "docs", "experiments", "methods", "scripts", "tests")
CHOICE = re.compile(r"[A-Z]{3,}|[<*?]")


def markdown_files(root):
    """Those that git knows, or all where `root` is no repository of its own."""
    if (root / ".git").exists():
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=root, check=True,
                                capture_output=True, text=True)
        return [root / name for name in listed.stdout.splitlines() if (root / name).exists()]
    return sorted(root.rglob("*.md"))


def anchor(heading):
    """The name that a forge gives to a heading."""
    text = re.sub(r"[`*]", "", re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)).lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def broken_links(file):
    text = FENCE.sub("", file.read_text())
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, name = target.partition("#")
        found = file.parent / path if path else file
        if not found.exists():
            yield f"no file {target}"
        elif name and name not in {anchor(heading) for heading in HEADING.findall(FENCE.sub("", found.read_text()))}:
            yield f"no heading {target}"


def expanded(path):
    """a.{h,cpp} stands for a.h and a.cpp."""
    braces = re.search(r"\{([^{}]*)\}", path)
    if not braces:
        return [path]
    return [path[: braces.start()] + part + path[braces.end():] for part in braces[1].split(",")]


def missing_paths(file, root):
    for code in CODE.findall(FENCE.sub("", file.read_text())):
        for word in code.split():
            if word.partition("/")[0] not in SOURCE_FOLDERS or "/" not in word:
                continue
            for path in expanded(word):
                parts = path.rstrip("/").split("/")
                fixed = next((i for i, part in enumerate(parts) if CHOICE.search(part) and not part.endswith(".md")),
                             len(parts))
                if not (root / "/".join(parts[:fixed])).exists():
                    yield f"no path {word}"


def problems(root):
    for file in markdown_files(root):
        for problem in (*broken_links(file), *missing_paths(file, root)):
            yield f"{file.relative_to(root)}: {problem}"


def main():
    root = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[2]).resolve()
    found = list(problems(root))
    print("\n".join(found) or f"check_docs: {len(markdown_files(root))} files, nothing missing")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
