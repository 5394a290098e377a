"""Every crate that ends up in the binary or helps to build it has a licence that deny.toml allows.

It trusts what each crate's manifest says (its SPDX expression), as cargo-deny does where that is clear; it reads no licence texts.
"""

import json
import re
import subprocess
import sys

TARGET = "x86_64-unknown-linux-gnu"


def allowed_licences():
    with open("deny.toml", encoding="utf-8") as file:
        text = file.read()
    return set(re.findall(r'"([^"]+)"', re.search(r"^allow = \[(.*?)^\]", text, re.S | re.M).group(1)))


def is_allowed(expression, allowed):
    """Evaluates an SPDX expression; `A/B` is the old way to write `A OR B`."""
    tokens = re.findall(r"[()]|[^\s()]+", expression.replace("/", " OR "))

    def either():
        good = both()
        while tokens and tokens[0] == "OR":
            tokens.pop(0)
            good = both() or good
        return good

    def both():
        good = one()
        while tokens and tokens[0] == "AND":
            tokens.pop(0)
            good = one() and good
        return good

    def one():
        token = tokens.pop(0)
        if token == "(":
            good = either()
            tokens.pop(0)
            return good
        if tokens and tokens[0] == "WITH":
            tokens.pop(0)
            token = f"{token} WITH {tokens.pop(0)}"
        return token in allowed

    return either()


def main():
    allowed = allowed_licences()
    command = ["cargo", "metadata", "--format-version", "1", "--locked", "--filter-platform", TARGET]
    metadata = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    used = {node["id"] for node in metadata["resolve"]["nodes"]}
    others = [package for package in metadata["packages"] if package["source"] and package["id"] in used]
    problems = []
    for package in others:
        name, licence = f"{package['name']} {package['version']}", package["license"]
        if not licence:
            problems.append(f"{name}: its manifest names no licence (licence file: {package['license_file'] or 'none'})")
        elif not is_allowed(licence, allowed):
            problems.append(f"{name}: '{licence}' is not allowed by deny.toml")
        if not package["source"].startswith("registry+"):
            problems.append(f"{name}: comes from {package['source']}, not from a registry")
    print("\n".join(problems) or f"{len(others)} crates, all with a licence of deny.toml")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
