"""House rules on the text itself: no file over 600 lines without a reason, no muted tests, no paths of one machine."""

import re
import subprocess
import sys

LIMIT = 600
REASONS = "scripts/long_files.txt"
SOURCE = (".rs", ".py", ".sh", ".js", ".ts", ".css", ".html", ".toml", ".md")
PATTERNS = [
    (".rs", re.compile(r"#\[ignore"), "a muted test: mend it, or delete it"),
    (".py", re.compile(r"@unittest\.skip|pytest\.mark\.skip"), "a muted test: mend it, or delete it"),
    (".js", re.compile(r"\b(?:test|it|describe)\.skip\("), "a muted test: mend it, or delete it"),
    # Folders that exist on the machine of whoever wrote the line. Run folders (runs/42/work) are something else.
    ("", re.compile(r"(?<![\w.}>*)/~-])/(?:root|work|Users)/\w"), "a path of one machine"),
]


def reasons():
    """-> path: why it may be long."""
    found = {}
    with open(REASONS, encoding="utf-8") as file:
        for line in file:
            path, _, reason = line.partition(":")
            if path.strip() and not line.startswith("#"):
                found[path.strip()] = reason.strip()
    return found


def main():
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    paths = sorted(set(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.split("\0")) - {""})
    excused, problems, checked = reasons(), [], 0
    for path in paths:
        if not path.endswith(SOURCE) and "." in path.split("/")[-1][1:]:
            continue
        try:
            with open(path, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except (FileNotFoundError, IsADirectoryError):
            continue  # deleted but not yet committed, or a submodule
        checked += 1
        if len(lines) > LIMIT and not excused.get(path):
            problems.append(f"{path}: {len(lines)} lines, over {LIMIT}: split it, or give the reason in {REASONS}")
        if len(lines) <= LIMIT and path in excused:
            problems.append(f"{REASONS}: {path} has only {len(lines)} lines now: take it out")
        for ending, pattern, why in PATTERNS:
            if path.endswith(ending):
                problems += [f"{path}:{n}: {why}: {line.strip()[:100]}" for n, line in enumerate(lines, 1) if pattern.search(line)]
    problems += [f"{REASONS}: {path} does not exist" for path in excused if path not in paths]
    print("\n".join(problems) or f"{checked} files")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
