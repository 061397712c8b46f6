"""One list of bad inputs for everything that reads a file: each reader refuses each of them in one line, with exit
code 2, or it is said why it cannot meet it.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import signal
import warnings
import zipfile
from fractions import Fraction

import numpy as np
import pytest
from damage import damage
from program import inside, one_line

from tabular_rl import MDP, estimate
from tabular_rl.errors import ModelError, OptionError
from tabular_rl.formats import load, save
from tabular_rl.formats.answers import read_answer
from tabular_rl.formats.counts import load_counts
from tabular_rl.formats.logs import read_log, write_log
from tabular_rl.formats.named_policies import read_policy
from tabular_rl.methods.learning._linear import read_features
from tabular_rl.model.transitions import Transitions

ROBOT = "example:recycling_robot"
READERS = {
    "toml": ("m.toml", lambda path, _: load(path).facts),
    "csv": ("m.csv", lambda path, _: load(path).facts),
    "npz": ("m.npz", lambda path, _: load(path).facts),
    "directory": ("m", lambda path, _: load(path).facts),
    "log csv": ("log.csv", lambda path, _: read_log(path)),
    "log npz": ("log.npz", lambda path, _: read_log(path)),
    "answer json": ("a.json", lambda path, mdp: read_answer(str(path), mdp)),
    "answer csv": ("a.csv", lambda path, mdp: read_answer(str(path), mdp)),
    "policy": ("p.json", lambda path, mdp: read_policy(str(path), mdp)),
    "features": ("f.npy", lambda path, mdp: read_features(str(path), mdp.S, "states")),
    "counts": ("m.counts.csv", lambda path, mdp: load_counts(path, mdp)),
}
OTHERS = {"features": "a matrix of numbers", "counts": "whole numbers beside the names of a model"}


# -- how the inputs are made ---------------------------------------------------------------------------------------


def toml(state="a", p='"1/2"', q='"1/2"', top="", more=""):
    key = json.dumps(state)
    return (
        f'discount = 0.9\nterminal = ["end"]\n{top}[state.{key}]\ngo = {{ to = [ {{ state = {key}, p = {p} }},\n'
        f'  {{ state = "end", p = {q} }} ] }}\n{more}'
    )


def csv(state="a", p="1/2", q="1/2", top="", more=""):
    head = "state,action,next_state,probability,reward\n"
    rows = f"{state},go,{state},{p},1\n{state},go,end,{q},1\n{more}"
    return f'# discount = 0.9\n# terminal = ["end"]\n{top}{head}{rows}'


def log(state="a", reward="1", head="state,action,reward,next_state,done", more=""):
    return f"{head}\n{state},go,{reward},{state},0\n{state},go,1,end,1\n{more}"


def answer(value="1", high="high", more=""):
    return f'{{"values": {{"{high}": {value}, "low": 2}}{more}}}'


def policy(p='"1/2"', q='"1/2"', more=""):
    return f'{{"high": {{"search": {p}, "wait": {q}}}, "low": "wait"{more}}}'


def npy(array):
    data = io.BytesIO()
    np.lib.format.write_array(data, np.asarray(array))
    return data.getvalue()


def as_bytes(value):
    return npy(
        np.frombuffer(value if isinstance(value, bytes) else json.dumps(value).encode(), dtype=np.uint8)
    )


def zipped(members):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def changed(header, changes):
    return changes(header) if callable(changes) else {**header, **changes}


def with_texts(header):
    """A header of which the exact probabilities are texts."""
    return {
        **header,
        "arrays": [name for name in header["arrays"] if name + ".npy" not in PARTS] + ["prob_text"],
    }


def npz(meta=None, drop=(), **members):
    """The recycling robot with other members, and other entries of its header."""

    def make(path):
        save(load(ROBOT), path)
        with zipfile.ZipFile(path) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
        if isinstance(meta, bytes):
            found["meta.npy"] = as_bytes(meta)
        elif meta:
            header = json.loads(np.load(io.BytesIO(found["meta.npy"])).tobytes())
            found["meta.npy"] = as_bytes(changed(header, meta))
        found |= {f"{name}.npy": content for name, content in members.items()}
        path.write_bytes(zipped({name: x for name, x in found.items() if name not in drop}))

    return make


def folder(header=None, drop=(), names=None, **files):
    """The recycling robot as a directory with other files, and other entries of its header."""

    def make(path):
        save(load(ROBOT), path)
        if isinstance(header, bytes):
            (path / "header.json").write_bytes(header)
        elif header:
            found = json.loads((path / "header.json").read_text())
            (path / "header.json").write_text(json.dumps(changed(found, header)))
        if names is not None:
            (path / "names.json").write_text(json.dumps(names))
        for name, content in files.items():
            (path / f"{name}.npy").write_bytes(content)
        for name in drop:
            (path / name).unlink()

    return make


def log_npz(**members):
    def make(path):
        mdp = load(ROBOT)
        write_log(Transitions.of(mdp, [("high", "search", 5.0, "low"), ("low", "wait", 1.0, "low")]), path)
        with zipfile.ZipFile(path) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
        path.write_bytes(zipped(found | {f"{name}.npy": content for name, content in members.items()}))

    return make


def damaged(make, packed=False):
    """An archive with a byte of a member changed behind its header: of `prob` or `r`."""

    def damage(path):
        make(path)
        with zipfile.ZipFile(path) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
        method = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, content in found.items():
                archive.writestr(name, content)
            info = archive.getinfo("prob.npy" if "prob.npy" in found else "r.npy")
        data = bytearray(path.read_bytes())
        first = info.header_offset + 30 + len(info.filename)
        if packed:
            data[first : first + 4] = b"\xff" * 4
        else:
            data[first + info.compress_size - 1] ^= 1
        path.write_bytes(data)

    return damage


def flipped(name):
    """The recycling robot as a directory with one bit of a file changed, in its last byte but seven."""

    def make(path):
        save(load(ROBOT), path)
        data = bytearray((path / name).read_bytes())
        data[-8] ^= 2
        (path / name).write_bytes(data)

    return make


def pipe(path):
    save(load(ROBOT), path)
    (path / "prob.npy").unlink()
    os.mkfifo(path / "prob.npy")


def behind_nul(make):
    def hide(path):
        make(path)
        with zipfile.ZipFile(path) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
        found["prob.npyX.txt"] = found.pop("prob.npy")
        path.write_bytes(zipped(found).replace(b"prob.npyX.txt", b"prob.npy\0.txt"))

    return hide


# -- the list ------------------------------------------------------------------------------------------------------

# Numerators and denominators of 1,990 digits, odd and so without a common factor with each other but by chance.
DRAW = random.Random("fractions")
WIDE = [f"{DRAW.randrange(10**1980)}/{DRAW.randrange(10**1989, 10**1990) | 1}" for _ in range(8)]
SHORT_OF_ONE = [f"1/1{'0' * 2200}1", f"1/1{'0' * 2198}1"]
DIGITS = "9" * 5000
NO_ANSWER = ("toml", "csv", "npz", "directory", "log csv", "log npz")
LONG = "x" * 200_000
TOO_LONG = "not valid CSV: field larger than field limit (131072)"
NO_COLUMNS = ("toml", "npz", "directory", "log npz", "answer json", "policy")
SPACE = "found a space before or after the name, expected 'a'"
NO_WIDTH = ": states 'a' with nothing there and 'a\\u200d' with U+200D, which has no width."
MAP = "discount = 0.9\n[grid]\nmap = '''\n{}'''\n"
NO_MAP = ("csv", "npz", "directory", "log csv", "log npz", "answer json", "answer csv", "policy")
TEXTS = ("toml", "csv", "log csv", "answer json", "answer csv", "policy")
NO_MODEL = ("log csv", "log npz", "answer json", "answer csv", "policy")
TOO_MANY_CELLS = (
    "layout: found 1000000000 x 1000000 cells, expected at most 10,000,000, or ten for each state"
)
TOO_FINE = "common denominator has more than 10,000 digits, expected fewer"
DOTS = ".".join("a" * 1000)
PARTS = ("prob_num.npy", "prob_den.npy")
# The probabilities of the robot, in hexadecimal; those of its first row are off by one part in 10^1990.
WIDEST = 10**1990 + 9
ROWS = [
    Fraction(4 * WIDEST // 5, WIDEST),
    Fraction(WIDEST // 5, WIDEST),
    *map(Fraction, ("1", "3/5", "2/5", "1", "1")),
]
NEARLY = [f"{x.numerator:x}/{x.denominator:x}" for x in ROWS]
SUM = ": state 'high', action 'search': exact probabilities do not sum to 1"
TOO_SMALL = (
    ":4: state 'a', action 'go': probabilities sum to about 1.01000E-2199, expected 1 (about 1.00000 missing)"
)
NESTED = "found arrays or tables nested too deep, expected at most 100 levels"
CUT = b"\x93NUMPY\x01\x00" + (
    b"{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2, }" + b" " * 60 + b"\n"
).join([b"\x76\0", b""])
DEEP = "[" * 50_000

# case -> reader -> (the input, what the line says)
CASES = {
    "fractions whose sum takes no end": {
        "toml": (toml(more="run = { to = [" + ", ".join(f'{{ state = "end", p = "{x}" }}' for x in WIDE) + "] }\n"),
                 f":6: state 'a', action 'run': found fractions whose {TOO_FINE}"),
        "csv": (csv(more="".join(f"a,run,end,{x},0\n" for x in WIDE)),
                f":6: state 'a', action 'run': found fractions whose {TOO_FINE}"),
        "policy": (policy(f'"{WIDE[0]}"', f'"{WIDE[1]}"'), "state 'high': probabilities sum to about "),
    },
    "fractions whose sum is too long to print": {
        "toml": (toml(p=f'"{SHORT_OF_ONE[0]}"', q=f'"{SHORT_OF_ONE[1]}"'),
                 TOO_SMALL),
        "csv": (csv(p=SHORT_OF_ONE[0], q=SHORT_OF_ONE[1]),
                TOO_SMALL),
        "npz": (npz(prob_text=as_bytes(NEARLY), meta=with_texts, drop=PARTS),
                SUM),
        "directory": (folder(prob_text=as_bytes(NEARLY), header=with_texts, drop=PARTS),
                      SUM),
        "policy": (policy(*(f'"{x}"' for x in SHORT_OF_ONE)),
                   "state 'high': probabilities sum to about 1.01000E-2199, expected 1"),
    },
    "a number of 5,000 digits": {
        "toml": (toml(p=DIGITS), ":4: found a number of 5000 digits, expected at most 4000"),
        "csv": (csv(p=DIGITS), ":4: state 'a', action 'go', next state 'a': found probability '99999"),
        "npz": (npz(meta=b'{"pairs": ' + DIGITS.encode() + b"}"),
                ": meta: found a number of 5000 digits, expected fewer"),
        "directory": (folder(header=b'{"pairs": ' + DIGITS.encode() + b"}"),
                      ": header.json: found a number of 5000 digits, expected fewer"),
        "log csv": (log(reward=DIGITS), ":2: state 'a', action 'go': found reward '99999"),
        "answer json": (answer(DIGITS), ": state 'high': found value '99999"),
        "answer csv": (f"state,value\nhigh,{DIGITS}\nlow,1\n", ":2: state 'high': found value '99999"),
        "policy": (policy(DIGITS), ": policy: state 'high', action 'search': found '99999"),
    },
    "hexadecimal digits that are no fraction, or have no end": {
        "npz": (npz(prob_text=as_bytes([*NEARLY[:6], "f" * 5000]), meta=with_texts, drop=PARTS),
                ": prob_text: found 'fff"),
        "directory": (folder(prob_text=as_bytes([*NEARLY[:6], "1/" + "f" * 50_000]), header=with_texts, drop=PARTS),
                      "expected a fraction in hexadecimal of at most 40,000 characters"),
    },
    "nested without end": {
        "toml": (f"{DOTS} = 1\n", f":1: {NESTED}"),
        "csv": (f"# discount = 0.9\n# {DOTS} = 1\nstate,action,next_state,probability\na,go,a,1\n", f":2: {NESTED}"),
        "npz": (npz(meta=DEEP.encode()), ": meta: found arrays or objects nested too deep"),
        "directory": (folder(header=DEEP.encode()), ": header.json: found arrays or objects nested too deep"),
        "answer json": (answer(DEEP), ": found arrays or objects nested too deep"),
        "policy": (policy(DEEP), ": found arrays or objects nested too deep"),
    },
    "a key that stands twice": {
        "toml": (toml(top="discount = 0.5\n"), ":3: 'discount': found twice, first on line 1"),
        "csv": (csv(top="# discount = 0.5\n"), ":3: 'discount': found twice, first on line 1"),
        "npz": (npz(meta=b'{"a": 1, "a": 2}'), ": meta: key 'a': found twice, first on line 1"),
        "directory": (folder(header=b'{"a": 1,\n"a": 2}'),
                      ": header.json, line 2: key 'a': found twice, first on line 1"),
        "log csv": (log(head="state,action,reward,next_state,reward"), ":1: found the column 'reward' twice"),
        "answer json": (answer(more=',\n"values": 3'), ":2: key 'values': found twice, first on line 1"),
        "answer csv": ("state,value,value\nhigh,1,1\nlow,1,1\n", ":1: found the columns state, value, value"),
        "policy": (policy(more=',\n"high": "wait"'), ":2: key 'high': found twice, first on line 1"),
    },
    "damaged data": {
        "npz": (damaged(npz()), ": member 'prob': damaged, its data are not those of its checksum"),
        "directory": (flipped("prob_num.npy"), ": prob: found "),
        "log npz": (damaged(log_npz()), ": member 'r': damaged, its data are not those of its checksum"),
    },
    "damaged data that were compressed": {
        "npz": (damaged(npz(), packed=True), ": member 'prob': damaged, its data cannot be decompressed"),
        "log npz": (damaged(log_npz(), packed=True), ": member 'r': damaged, its data cannot be decompressed"),
    },
    "a header that is cut off": {
        "npz": (npz(prob=CUT), ": member 'prob': not an npy array: "),
        "directory": (folder(prob=CUT), ": prob.npy: not an npy array: "),
        "log npz": (log_npz(r=CUT), ": member 'r': not an npy array: "),
        "features": (CUT + bytes(32), ": header: not an npy array: "),
    },
    "a layout of more cells than can be drawn": {
        "toml": (toml(top="layout = { rows = 1000000000, columns = 1000000 }\n"), TOO_MANY_CELLS),
        "csv": (csv(top="# layout = { rows = 1000000000, columns = 1000000 }\n"), TOO_MANY_CELLS),
        "npz": (npz(meta={"layout": [10**9, 10**6]}), TOO_MANY_CELLS),
        "directory": (folder(header={"layout": [10**9, 10**6]}), TOO_MANY_CELLS),
    },
    "a layout that was edited": {
        "directory": (folder(header={"layout": [1, 2]}), ": found contents with the digest "),
    },
    "a pipe in place of a file": {
        "directory": (pipe, ": prob.npy: is a pipe or a device, expected a file"),
    },
    "a member whose name goes on behind a NUL": {
        "npz": (behind_nul(npz()), "member 'prob.npy\\x00.txt': found a path, expected a plain name"),
        "log npz": (behind_nul(log_npz(prob=b"")), "member 'prob.npy\\x00.txt': found a path, expected a plain name"),
    },
    "a map of more cells than are drawn": {
        "toml": (MAP.format("." * 4000 + "\n" + ".\n" * 2600), ":3: map: found 2601 x 4000 = 10,404,000 cells"),
    },
    "a map that would be padded without end": {
        "toml": (MAP.format("." + "\n" * 30_000 + " " * 30_000 + "."),
                 ":3: map: found 30001 x 30001 = 900,060,001 cells, expected at most 10,000,000"),
    },
    "a space beside a name": {
        "toml": (toml(state="a "), f":3: state 'a ': {SPACE}"),
        "csv": (csv(state="a "), f":4: state 'a ': {SPACE}"),
        "npz": (npz(meta={"state_names": ["high", "a "]}), f": state 'a ': {SPACE}"),
        "directory": (folder(names={"states": ["high", "a "], "actions": ["x", "y", "z"]}), f": state 'a ': {SPACE}"),
        "log csv": (log(state="a "), f":2: state: {SPACE}"),
        "log npz": (log_npz(s=npy(["a ", "b"]), s2=npy(["b", "a "]), a=npy(["x", "y"])), f"column 's'): {SPACE}"),
        "answer json": (answer(high="high "), "state 'high ': no such state in the model; did you mean 'high'?"),
        "answer csv": ("state,value\nhigh ,1\nlow,1\n", ":2: state 'high ': no such state in the model; did you"),
        "policy": (policy().replace("low", " low"), "state ' low': no such state in the model; did you mean 'low'?"),
    },
    "an action with a space": {
        "toml": (toml(more='"run " = { to = "end" }\n'), f":6: action 'run ': {SPACE}".replace("'a'", "'run'")),
        "csv": (csv(more="a,run ,end,1,1\n"), f":6: action 'run ': {SPACE}".replace("'a'", "'run'")),
        "npz": (npz(meta={"action_names": ["a ", "y", "z"]}), f": action 'a ': {SPACE}"),
        "directory": (folder(names={"states": ["high", "b"], "actions": ["a ", "y", "z"]}), f": action 'a ': {SPACE}"),
        "log csv": (log(more="a,a ,1,end,1\n"), f":4: action: {SPACE}"),
        "log npz": (log_npz(s=npy(["a", "b"]), s2=npy(["b", "a"]), a=npy(["a ", "y"])), f"column 'a'): {SPACE}"),
        "answer json": (policy().replace("wait", "wait "), "found action 'wait ', expected one of 'search'"),
        "answer csv": ("state,action\nhigh,wait \nlow,wait\n", ":2: state 'high': found action 'wait ', expected"),
        "policy": (policy().replace("wait", "wait "), "found action 'wait ', expected one of 'search'"),
    },
    "an empty name, or an empty cell": {
        "toml": (toml(state=""), ":3: state '': found an empty name, expected a text"),
        "csv": (csv(more="a,run,,1,1\na,,end,1,1\n"), ":6: next_state: found an empty cell, expected a name"),
        "npz": (npz(meta={"state_names": ["high", ""]}), ": state '': found an empty name, expected a text"),
        "directory": (folder(names={"states": ["high", ""], "actions": ["x", "y", "z"]}),
                      ": state '': found an empty name"),
        "log csv": (log(more="a,run,1,,1\n"), ":4: next_state: found an empty cell, expected a name"),
        "log npz": (log_npz(s=npy(["a", "b"]), s2=npy(["b", ""]), a=npy(["x", "y"])),
                    "column 's2'): found an empty cell, expected a name. Without this column"),
        "answer json": (answer(high=""), "state: found an empty cell, expected the name of a state"),
        "answer csv": ("state,value\n,1\nlow,1\n", ":2: state: found an empty cell, expected the name of a state"),
        "policy": (policy().replace("low", ""), "state: found an empty cell, expected the name of a state"),
    },
    "names that differ in what has no width": {
        "toml": (toml(more='[state."a\\u200d"]\ngo = { to = "end" }\n'), NO_WIDTH),
        "csv": (csv(more="a\u200d,go,end,1,1\n"), NO_WIDTH),
        "npz": (npz(meta={"state_names": ["a", "a\u200d"]}), NO_WIDTH),
        "directory": (folder(names={"states": ["a", "a\u200d"], "actions": ["x", "y", "z"]}), NO_WIDTH),
    },
    "a column name of 200 kB": {
        "csv": (f"# discount = 0.9\nstate,action,next_state,probability,{LONG}\na,go,a,1,1\n", f":2: {TOO_LONG}"),
        "log csv": (log(head=f"state,action,reward,next_state,done,{LONG}"), f":1: {TOO_LONG}"),
        "answer csv": (f"state,value,{LONG}\nhigh,1,\nlow,1,\n", f":1: {TOO_LONG}"),
        "counts": (f"state,action,next_state,{LONG}\n", f":1: {TOO_LONG}"),
    },
    "a comment of 200 kB, as a sheet writes it": {
        "csv": (f'"# name = ""{LONG}"""\n{csv()}', f":1: {TOO_LONG}"),
        "log csv": (f'"# {LONG}"\n{log()}', f":1: {TOO_LONG}"),
        "answer csv": (f'"# {LONG}"\nstate,value\n', f":1: {TOO_LONG}"),
        "counts": (f'"# {LONG}"\nstate,action,next_state,count\n', f":1: {TOO_LONG}"),
    },
    "nothing below the names of columns": {
        "csv": ("# discount = 0.9\nstate,action,next_state,probability\n", ": no states: found no transitions"),
        "log csv": (log().partition("a,go")[0], ": found no transitions, expected at least one"),
        "answer csv": ("state,action\n", ": found neither values nor actions, expected some: a line for each state"),
        "counts": ("state,action,next_state,count\n", ": state 'high', action 'search': found counts 0, 0, expected"),
    },
    "an answer that says nothing": {
        "answer json": ('{"policy": null}', ": found neither values nor actions, expected some"),
        "answer csv": ("state,action\nhigh,\nlow,\n", ": found neither values nor actions, expected some"),
        "policy": ('{"values": null}', ": found neither values nor actions, expected some"),
    },
}  # fmt: skip
WITHOUT = {
    "fractions whose sum takes no end": {
        "npz": "see the next", "directory": "see the next",
        "log csv": "rewards of a log are not added", "log npz": "holds no fractions",
        "answer json": "values are not added", "answer csv": "values are not added",
    },
    "fractions whose sum is too long to print": {
        "log csv": "rewards of a log are not added", "log npz": "holds no fractions",
        "answer json": "values are not added", "answer csv": "values are not added",
    },
    "hexadecimal digits that are no fraction, or have no end": dict.fromkeys((*TEXTS, "log npz"), "has none"),
    "a number of 5,000 digits": {"log npz": "numbers have 64 bits"},
    "nested without end": {name: "does not nest" for name in ("log csv", "log npz", "answer csv")},
    "a key that stands twice": {"log npz": "see members"},
    "damaged data": dict.fromkeys(TEXTS, "has no checksum"),
    "damaged data that were compressed": dict.fromkeys((*TEXTS, "directory"), "is not compressed"),
    "a header that is cut off": dict.fromkeys(TEXTS, "has no such header"),
    "a layout of more cells than can be drawn": dict.fromkeys(NO_MODEL, "has no layout"),
    "a layout that was edited": dict.fromkeys((*TEXTS[:2], "npz", *NO_MODEL), "may be edited, or has no layout"),
    "a pipe in place of a file": dict.fromkeys((*TEXTS, "npz", "log npz"), "is read as a stream"),
    "a member whose name goes on behind a NUL": dict.fromkeys((*TEXTS, "directory"), "has no members"),
    "a map of more cells than are drawn": dict.fromkeys(NO_MAP, "has no map"),
    "a map that would be padded without end": dict.fromkeys(NO_MAP, "has no map"),
    "a column name of 200 kB": dict.fromkeys(NO_COLUMNS, "has no columns with names"),
    "a comment of 200 kB, as a sheet writes it": dict.fromkeys(NO_COLUMNS, "has no such comments"),
    "nothing below the names of columns": dict.fromkeys(NO_COLUMNS, "has no columns with names"),
    "an answer that says nothing": dict.fromkeys(NO_ANSWER, "is no answer"),
    "names that differ in what has no width": {
        "log csv": "a model is made of it", "log npz": "a model is made of it", "answer json": "no such state",
        "answer csv": "no such state", "policy": "no such state",
    },
}  # fmt: skip


@pytest.fixture
def robot():
    return load(ROBOT)


def refusal(reader, path, mdp):
    """The lines with which a reader refuses a file."""
    with pytest.raises((ModelError, OptionError)) as caught:
        READERS[reader][1](path, mdp)
    lines = str(caught.value).splitlines()
    assert caught.value.exit_code == 2
    assert lines
    assert all(line.startswith((str(path), "... and ")) and line.isprintable() for line in lines)
    assert all(len(line) < len(str(path)) + 500 for line in lines)
    return lines


def test_a_model_that_is_wrong_is_not_shown(tmp_path, capsys):
    """Every command looks at the contents of a directory before it says anything of them."""
    flipped("prob_num.npy")(tmp_path / "m")
    for arguments in (
        ("show",),
        ("show", "--state", "high"),
        ("check",),
        ("solve",),
        ("simulate", "--episodes", 2),
    ):
        done = inside(capsys, arguments[0], tmp_path / "m", *arguments[1:])
        assert (done.code, done.out) == (2, "")
        assert one_line(done.err).startswith(f"{tmp_path}/m: prob: found ")


def test_directories_of_earlier_versions_are_read(tmp_path, robot):
    """Their digest is that of the model alone."""
    folder(header={"digest": robot.digest})(tmp_path / "m")
    assert load(tmp_path / "m") == robot


@pytest.mark.parametrize(("case", "reader"), [(case, reader) for case in CASES for reader in CASES[case]])
def test_bad_input_is_refused(case, reader, tmp_path, robot):
    content, expected = CASES[case][reader]
    path = tmp_path / READERS[reader][0]
    if callable(content):
        content(path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert expected in "\n".join(refusal(reader, path, robot))


def test_each_reader_has_each_case():
    for case, found in CASES.items():
        assert set(found) | set(WITHOUT.get(case, {})) | set(OTHERS) == set(READERS), case
        assert not set(found) & set(WITHOUT.get(case, {})), case


# -- names that look the same --------------------------------------------------------------------------------------

ALIKE = {
    "NFC and NFD": ("caf\u00e9", "cafe\u0301", "U+00E9", "U+0065 U+0301"),
    "a compatibility form": ("x\u00b2", "x2", "U+00B2", "U+0032"),
    "a full-width letter": ("\uff21", "A", "U+FF21", "U+0041"),
    "capitals": ("Go", "go", "U+0047", "U+0067"),
    "an inner space": ("a\u00a0b", "a b", "U+00A0", "U+0020"),
}


def models_with(names, tmp_path):
    """What makes a model with two states of these names, by every way there is."""
    a, b = names
    outcomes = [(a, "x", b, 1, 1), (b, "x", a, 1, 1)]
    mdp = MDP.from_outcomes(outcomes, "1/2")
    for name in ("m.toml", "m.csv", "m.npz", "m"):
        save(mdp, tmp_path / name)
        yield lambda name=name: load(tmp_path / name).facts
    yield lambda: MDP.from_outcomes(outcomes, "1/2")
    yield lambda: MDP([[[0.0, 1.0]], [[1.0, 0.0]]], [1.0, 1.0], 0.5, states=names, axes="sas")
    (tmp_path / "log.csv").write_text(
        log().split("\n")[0] + f"\n{a},x,1,{b},0\n{b},x,1,{a},0\n", encoding="utf-8"
    )
    yield lambda: estimate(read_log(tmp_path / "log.csv"), 0.5)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("case", ALIKE)
def test_names_that_look_the_same_are_told_by_their_code_points(case, tmp_path):
    a, b, *points = ALIKE[case]
    for make in models_with((a, b), tmp_path):
        with pytest.warns(UserWarning, match="they look the same") as caught:
            make()
        text = str(caught[0].message)
        assert text.startswith("states ")
        for point in points:
            assert point in text


def test_actions_that_look_the_same_are_told_too(tmp_path, capsys):
    (tmp_path / "m.toml").write_text('discount = 0.9\n[state.a]\ngo = { to = "a" }\nGo = { to = "a" }\n')
    with pytest.warns(
        UserWarning, match=r"actions 'go' with U\+0067 and 'Go' with U\+0047: they look the same"
    ):
        assert inside(capsys, "solve", tmp_path / "m.toml").code == 0


def test_names_that_can_be_told_apart_bring_no_warning():
    names = ["a", "a b", "\u200dalone", "\u0627\u200c\u0628", "\U0001f600", "1", "10", "x_1", "\u00e9", "e"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        S = len(names)
        MDP(np.eye(S)[:, None, :], np.zeros(S), 0.5, states=names, axes="sas")
        MDP(np.eye(S)[None], np.zeros(S), 0.5, states=[str(10 * i) for i in range(S)], axes="ass")


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["0", "1", "0.0"], "states '0' and '0.0': two names for one number? A column with empty cells"),
        (["0", "1", "nan"], "state 'nan': a name among numbers. Is it an empty cell?"),
    ],
)
def test_what_a_frame_with_empty_cells_writes_is_told(names, expected, tmp_path):
    """pandas writes a column of whole numbers with a missing one as 0.0, 1.0, and the missing one as nan or nothing."""
    rows = "".join(f"{a},go,{b},1,0\n" for a, b in zip(names, names[1:] + names[:1], strict=True))
    (tmp_path / "m.csv").write_text(f"# discount = 0.5\nstate,action,next_state,probability,reward\n{rows}")
    with pytest.warns(UserWarning, match="^" + re.escape(expected)):
        load(tmp_path / "m.csv")


# -- inputs that are damaged by chance -----------------------------------------------------------------------------

GOOD = {
    "toml": toml(top='start = "a"\nlayout = { rows = 1, columns = 2 }\n'), "csv": csv(),
    "npz": npz(), "directory": folder(),
    "answer json": answer(more=', "exact": ["1/3", "2/7"], "policy": ["wait", "wait"]'),
    "log csv": log(), "log npz": log_npz(),
    "answer csv": "state,value,lower,upper,action\nhigh,1,0.5,1e3,wait\nlow,2,,,wait\n", "policy": policy(),
    "features": npy(np.eye(2)),
    "counts": "state,action,next_state,count\nhigh,search,high,4\nhigh,search,low,1\nhigh,wait,high,1\n"
              "low,search,low,3\nlow,search,high,2\nlow,wait,low,1\nlow,recharge,high,1\n",
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("times", [15, pytest.param(400, marks=pytest.mark.slow)])
@pytest.mark.parametrize("reader", READERS)
def test_inputs_damaged_by_chance_are_refused_or_read(reader, times, tmp_path, robot):
    """A few bytes changed, dropped, doubled or moved: an error for people, or another input that is right."""
    path = tmp_path / READERS[reader][0]
    make = GOOD[reader]
    if callable(make):
        make(path)
    else:
        path.write_bytes(make if isinstance(make, bytes) else make.encode())
    READERS[reader][1](path, robot)
    rng = random.Random(f"damaged {reader}")
    files = sorted(path.iterdir()) if path.is_dir() else [path]
    whole = {file: file.read_bytes() for file in files}
    for _ in range(times):
        file = rng.choice(files)
        file.write_bytes(damage(whole[file], rng))
        try:
            READERS[reader][1](path, robot)
        except (ModelError, OptionError) as error:
            lines = str(error).splitlines()
            assert all(line.isprintable() and len(line) < len(str(path)) + 500 for line in lines), lines
            assert all(line.startswith((str(path), "... and ")) for line in lines), lines
        file.write_bytes(whole[file])


# -- limits of time ------------------------------------------------------------------------------------------------


def test_reading_hears_the_time_limit(tmp_path, capsys, monkeypatch):
    """A reader that never ends is stopped: with exit code 3, a line, and nothing else."""

    def endless(*_, **__):
        while True:
            pass

    monkeypatch.setattr("tabular_rl.commands._files.SHORTEST", 0.01)
    monkeypatch.setattr("tabular_rl.commands._files.load", endless)
    before = signal.getsignal(signal.SIGALRM)
    done = inside(capsys, "solve", ROBOT, "--time-limit", "0.01")
    assert (done.code, done.out) == (3, "")
    assert one_line(done.err) == "the time limit is over: nothing is proven yet"
    assert signal.getsignal(signal.SIGALRM) == before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
