"""A format of models that a test plants: CSV behind a word."""

import io

from tabular_rl.formats.csv import read_csv, write_csv
from tabular_rl.formats.registry import Format

MAGIC = b"PLANTED\n"


def read(file, asked):
    return read_csv(io.BytesIO(file.read().removeprefix(MAGIC)), asked)


def write(mdp, file):
    file.write(MAGIC)
    write_csv(mdp, file)


LINE = Format("planted", (".planted",), read, write, (MAGIC,), "a planted model", "tests: CSV behind a word")
