"""What is written reads back as the same model, in every format."""

from __future__ import annotations

import functools
import re
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, given, settings
from reading import same
from shipped import shipped
from strategies import models

from tabular_rl import MDP
from tabular_rl.errors import ModelError
from tabular_rl.formats import load, save
from tabular_rl.formats.registry import MODELS

NAMES = {
    format.name: "m" + "".join(format.suffixes[:1])
    for format in MODELS.written
    if not format.partial and not format.needs  # tests/peers has those with an extra
}
PARTIAL = {format.name: f"m{format.suffixes[0]}" for format in MODELS.written if format.partial}
quick = settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.mark.parametrize("format", list(NAMES))
@given(mdp=models())
@quick
def test_random_models_survive(format, mdp, tmp_path):
    path = tmp_path / NAMES[format]
    save(mdp, path)
    same(mdp, load(path))
    assert load(path).facts == mdp.facts


@pytest.mark.parametrize("format", list(PARTIAL))
@given(mdp=models())
@quick
def test_random_models_survive_or_are_refused(format, mdp, tmp_path):
    path, refusal = tmp_path / PARTIAL[format], None
    path.unlink(missing_ok=True)
    try:
        save(mdp, path)
    except ModelError as error:
        refusal = str(error)
    if refusal is None:
        same(mdp, load(path))
    else:
        assert re.search(r"which \S+ cannot hold\. Write it as \.toml, \.csv or \.npz", refusal)
        assert not path.exists()


@functools.cache
def example(name):
    return load(f"example:{name}")


@pytest.mark.parametrize("format", list(NAMES))
@pytest.mark.parametrize("name", shipped())
def test_examples_survive(format, name, tmp_path):
    mdp = example(name)
    save(mdp, tmp_path / NAMES[format])
    same(mdp, load(tmp_path / NAMES[format]))


@pytest.mark.parametrize("format", list(NAMES))
def test_thirds_stay_thirds(format, tmp_path):
    mdp = MDP.from_outcomes(
        [("a", "go", "a", "1/3", "1/7"), ("a", "go", "b", "2/3", -1), ("b", "go", "a", 1, 0)], "1/3"
    )
    save(mdp, tmp_path / NAMES[format])
    found = load(tmp_path / NAMES[format])
    assert list(found.exact.prob) == [Fraction(1, 3), Fraction(2, 3), Fraction(1)]
    assert list(found.exact.reward) == [Fraction(1, 7), Fraction(-1), Fraction(0)]
    assert found.gamma_exact == Fraction(1, 3)
    assert found.rational(0)[1] == Fraction(1, 3) * Fraction(1, 7) - Fraction(2, 3)


@pytest.mark.parametrize("format", list(NAMES))
def test_float_bits_survive(format, tmp_path):
    p = [0.1 + 0.2, 0.7 - 2.0**-53]  # misses 1 by less than 2 * 2**-52
    mdp = MDP.from_outcomes(
        [("a", "go", "a", p[0], 1 / 3), ("a", "go", "b", p[1], 1e-300), ("b", "go", "b", 1.0, 0.0)], 0.9
    )
    save(mdp, tmp_path / NAMES[format])
    found = load(tmp_path / NAMES[format])
    assert found.prob.tolist() == [*p, 1.0]
    assert found.reward.tolist() == [1 / 3, 1e-300, 0.0]
    assert found.gamma_exact == Fraction(0.9)
    assert found.exact is None


@pytest.mark.parametrize("format", list(NAMES))
def test_exact_discount_of_a_float_model_survives(format, tmp_path):
    mdp = MDP([[[1.0]]], [[1.0]], "9/10")
    save(mdp, tmp_path / NAMES[format])
    assert load(tmp_path / NAMES[format]).gamma_exact == Fraction(9, 10)


@pytest.mark.parametrize("format", list(NAMES))
def test_same_model_same_bytes(format, tmp_path):
    mdp = load("example:recycling_robot")
    for name in ("a", "b"):
        save(mdp, tmp_path / name, format=format)
    if format == "directory":
        files = sorted(p.name for p in (tmp_path / "a").iterdir())
        assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)
    else:
        assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_start_given_in_floats_is_made_exact(tmp_path):
    mdp = load("example:recycling_robot").replace(start=[0.1, 0.9])
    assert sum(mdp.exact.start) == 1
    save(mdp, tmp_path / "m.toml")
    same(mdp, load(tmp_path / "m.toml"))


@pytest.mark.parametrize("format", ["toml", "csv"])
def test_half_a_surrogate_is_not_written(format, tmp_path):
    mdp = MDP([[[1.0]]], [[1.0]], 0.9, states=["\ud800"])
    with pytest.raises(ModelError, match="surrogate"):
        save(mdp, tmp_path / NAMES[format])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", ["npz", "directory"])
def test_arrays_hold_any_name_and_any_number(format, tmp_path):
    huge = Fraction(1, 7**6000)
    mdp = MDP.from_outcomes(
        [("\ud800", "go", "\ud800", 1 - huge, 1), ("\ud800", "go", "\ud800", huge, 1)], "1/2"
    )
    save(mdp, tmp_path / NAMES[format])
    same(mdp, load(tmp_path / NAMES[format]))


@pytest.mark.parametrize("format", ["toml", "csv"])
def test_text_refuses_numbers_too_long_to_read_back(format, tmp_path):
    mdp = MDP.from_outcomes(
        [("a", "go", "a", Fraction(1, 7**6000), 1), ("a", "go", "a", 1 - Fraction(1, 7**6000), 1)], 1
    )
    with pytest.raises(ModelError, match="more than 4000 characters"):
        save(mdp, tmp_path / NAMES[format])


def test_every_toml_block_of_the_page_is_a_model(tmp_path):
    import documents

    page = documents.ROOT / "docs" / "file-format.md"
    found = [b for b in documents.blocks(page.read_text(encoding="utf-8")) if b.language == "toml"]
    assert len(found) == 5
    for block in found:
        (tmp_path / "m.toml").write_text(block.text)
        assert load(tmp_path / "m.toml").S >= 2
