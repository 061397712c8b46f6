"""The network of docs/gymnasium.md learns what the page says. On demand: it needs stable-baselines3."""

from __future__ import annotations

import contextlib
import io

import documents
import pytest

pytestmark = pytest.mark.slow


def test_the_network_of_the_page_is_nearly_optimal():
    pytest.importorskip("stable_baselines3", reason="pip install stable-baselines3")
    page = (documents.ROOT / "docs" / "gymnasium.md").read_text(encoding="utf-8")
    (block,) = (block for block in documents.blocks(page) if "stable_baselines3" in block.text)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(block.text, "gymnasium.md", "exec"), {})
    learned, best = map(float, printed.getvalue().split())
    assert best - 0.1 < learned <= best + 1e-9
    assert best == pytest.approx(-1.936429, abs=1e-6)
