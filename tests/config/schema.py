#!/usr/bin/env python3
"""Checks the schema that `sluice config schema` prints with a validator of its own kind: that it is a schema, that the
examples of the project satisfy it, and that mistakes do not."""

import argparse
import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = (ROOT / "sluice.example.toml").read_text()
MISTAKES = [
    ("listen =", "listne ="),
    ('"127.0.0.1:8080"', "8080"),
    ("[[source]]", "[source]"),
    ('kind = "api"', 'kind = "apis"'),
    ('id = "1234567890123456"', 'id = "pixel"'),
    ('{ env = "SLUICE_KEY" }', '{ env = "SLUICE_KEY", file = "/key" }'),
    ('datasets = ["1234567890123456"]', "datasets = []"),
    ('path = "./sluice-data"', "retention_days = -1"),
]


def written(sluice):
    """What `sluice config init` writes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [Path(sluice).resolve(), "config", "init", "--dataset", "1234567890123456"]
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
        return (Path(folder) / "sluice.toml").read_text()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sluice", required=True, help="the program")
    sluice = parser.parse_args().sluice
    printed = subprocess.run([sluice, "config", "schema"], capture_output=True, text=True, check=True).stdout
    schema = json.loads(printed)
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    wrong = [text for text in [EXAMPLE, written(sluice)] if not validator.is_valid(tomllib.loads(text))]
    for right, mistake in MISTAKES:
        assert right in EXAMPLE, right
        text = EXAMPLE.replace(right, mistake)
        if validator.is_valid(tomllib.loads(text)):
            wrong.append(f"{mistake} is no mistake to the schema")
    print("\n".join(wrong))
    print(f"{2 + len(MISTAKES) - len(wrong)} passed, {len(wrong)} failed")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main())
