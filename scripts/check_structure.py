"""Crates depend only on those before them in ORDER, and what is heavy stays in the one crate that needs it."""

import json
import subprocess
import sys

# As in ARCHITECTURE.md. A crate may use any before it, none after it.
ORDER = ["model", "schedule", "query", "sheet", "parquet", "foreign", "edit", "spec", "draft", "scrape", "capture", "machine", "series", "store", "supervise", "target", "report", "home", "daemon", "cli"]

# Dependency: the only crates that may name it, and why.
ONLY_IN = {
    "resvg": (["report"], "it renders pictures; its code and build time belong to reports alone"),
    "quick-xml": (["sheet"], "only spreadsheets are XML"),
    "rust_xlsxwriter": (["sheet"], "only spreadsheets are written with it"),
    "zstd": (["store"], "only sealed segments and bundles are compressed with it; it is C, and has one door"),
    "zip": (["sheet"], "only spreadsheets are archives; opening them takes care that is written once"),
    "pco": (["series"], "only columns of numbers are packed with it"),
    "hyper": (["daemon"], "only the daemon answers requests"),
    "tokio": (["daemon"], "only the daemon waits for many at once; all else is plain threads and files"),
    "schemars": (["daemon"], "only what the daemon takes and gives is described by its types"),
    "clap": (["cli"], "only the binary has a command line; libraries take values"),
}


def main():
    command = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    packages = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)["packages"]
    folder_of = {package["name"]: package["manifest_path"].split("/")[-2] for package in packages}
    problems = []
    for package in packages:
        crate = folder_of[package["name"]]
        manifest = "/".join(package["manifest_path"].split("/")[-3:])
        if crate not in ORDER:
            problems.append(f"{manifest}: crate '{crate}' has no place in ORDER of scripts/check_structure.py (see ARCHITECTURE.md)")
            continue
        before = ORDER[: ORDER.index(crate)]
        for dependency in package["dependencies"]:
            name = dependency["name"]
            kind = f"{dependency['kind']}-dependency" if dependency["kind"] else "dependency"
            if name in folder_of and folder_of[name] not in before:
                allowed = ", ".join(before) or "none"
                problems.append(f"{manifest}: {kind} on {folder_of[name]}; {crate} may use only crates before it ({allowed})")
            if name in ONLY_IN and crate not in ONLY_IN[name][0]:
                where, why = ONLY_IN[name]
                problems.append(f"{manifest}: {kind} on {name}, which is only for {', '.join(where)}: {why}")
            if name not in folder_of and not package["source"] and dependency.get("path"):
                problems.append(f"{manifest}: {name} comes from a path outside this workspace: {dependency['path']}")
    print("\n".join(problems) or f"{len(packages)} crates depend in the right direction")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
