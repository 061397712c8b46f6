"""setup.cfg lists what there is, and the installed package finds its models."""

from __future__ import annotations

import configparser
import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

import tabular_rl
from tabular_rl import examples as examples_function
from tabular_rl.errors import OptionError
from tabular_rl.formats.bundled import example_path, examples, examples_folder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def setup():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def test_every_package_is_listed(setup):
    listed = setup["options"]["packages"].split()
    folders = {path.parent.relative_to(ROOT) for path in (ROOT / "tabular_rl").rglob("*.py")}
    assert sorted(listed) == sorted(
        [".".join(folder.parts) for folder in folders] + ["tabular_rl.docs", "tabular_rl.mdps"]
    )


@pytest.mark.parametrize("name", ["docs", "mdps"])
def test_every_file_of_a_folder_is_installed(setup, name):
    assert f"\ntabular_rl.{name} = {name}" in setup["options"]["package_dir"]
    patterns = setup["options.package_data"][f"tabular_rl.{name}"].replace(",", " ").split()
    files = [p.relative_to(ROOT / name) for p in (ROOT / name).rglob("*") if p.is_file()]
    for path in files:
        assert any(p.count("/") == len(path.parts) - 1 and fnmatch(str(path), p) for p in patterns), path


def test_run_time_needs_four_packages(setup):
    needs = re.findall(r"^[\w-]+", setup["options"]["install_requires"], re.MULTILINE)
    assert sorted(needs) == ["click", "numba", "numpy", "scipy"]


def test_the_readme_names_every_extra_in_one_order(setup):
    table = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    named = [(extra, brings) for extra, brings in table if extra in setup["options.extras_require"]]
    assert [extra for extra, _ in named] == list(setup["options.extras_require"])
    for extra, brings in named:
        if extra not in ("peers", "test"):
            needs = re.findall(r"^[\w-]+", setup["options.extras_require"][extra], re.MULTILINE)
            assert brings.split(", ") == needs, extra


def test_one_version(setup):
    assert setup["metadata"]["version"] == "attr: tabular_rl.__version__"
    version = tabular_rl.__version__
    assert f"\n## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_versions_of_python_are_those_of_the_readme(setup):
    found = re.findall(r"Python :: 3\.(\d+)", setup["metadata"]["classifiers"])
    said = re.search(r"Python 3\.(\d+) to 3\.(\d+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert found == [str(minor) for minor in range(int(said[1]), int(said[2]) + 1)]
    assert setup["options"]["python_requires"] == f">=3.{said[1]}"


def test_pyproject_holds_tools_only():
    tables = re.findall(r"^\[+([\w-]+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(tables) == {"build-system", "tool"}


def test_examples_are_the_models_of_mdps():
    assert examples_function is examples, "tabular_rl.examples must be the function, not a module"
    assert examples_folder() == ROOT / "mdps"
    assert "recycling_robot" in examples()
    assert all(example_path(name).is_file() for name in examples())


def test_unknown_example_names_the_closest():
    with pytest.raises(OptionError, match="did you mean 'recycling_robot'"):
        example_path("recycling_robt")
