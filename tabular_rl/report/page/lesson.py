"""A lesson: a page for the browser, made of a model."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tabular_rl.errors import OptionError, escape
from tabular_rl.formats.output import write_parts
from tabular_rl.methods.ask import reference
from tabular_rl.model.calls import public
from tabular_rl.model.mdp import MDP
from tabular_rl.model.numbers import plural
from tabular_rl.model.policy import Policy
from tabular_rl.model.rationals import spell_short
from tabular_rl.report.page.data import data_text, lesson_data
from tabular_rl.report.page.join import joined

MOST_STATES = 500
HERE = Path(__file__).parent
LONGEST = 1000  # characters of the source of a model
HEIGHT = 760  # pixels of the page in a notebook


@dataclass(frozen=True, eq=False, repr=False)
class Lesson:
    """A page: `html` is its text, `save` writes it, and a notebook shows it.

    Examples
    --------
    >>> from tabular_rl import lesson
    >>> page = lesson(MDP([[[1.0]]], [[1.0]], "1/2"))
    >>> page.html[:15], page
    ('<!DOCTYPE html>', Lesson(1 state))
    """

    mdp: MDP
    html: str

    def save(self, path: Any) -> None:
        """Write the page to a file, whole or not at all; OutputError with the path and the reason."""
        write_parts([self.html], path)

    def __repr__(self) -> str:
        return f"Lesson({self.mdp.S} state{'' if self.mdp.S == 1 else 's'})"

    def _repr_html_(self) -> str:
        style = f"width:100%;height:{HEIGHT}px;border:0"
        return f'<iframe title="lesson" style="{style}" srcdoc="{html.escape(self.html)}"></iframe>'


@public
def lesson(mdp: MDP, *, policy: Any = None) -> Lesson:
    """Return a page for the browser that shows how the values of a model arise.

        V_{k+1}(s) = max_a [ r(s,a) + γ Σ_s' p(s'|s,a) V_k(s') ]

    It is one file, needs no network, and holds the model: its numbers are those of the other functions.

    Parameters
    ----------
    mdp : a model of up to 500 states
    policy : one whose evaluation the page offers beside those that it has: all actions equally often, the first ones,
        a best one, and one that the reader chooses; the same at all time steps

    Returns
    -------
    Lesson

    Raises
    ------
    OptionError : a larger model, or a policy that depends on time
    NoFiniteAnswer : γ = 1, and the total reward has no limit

    Examples
    --------
    >>> lesson(MDP([[[1.0]]], [[1.0]], "1/2")).mdp.S
    1
    """
    if mdp.S > MOST_STATES:
        raise OptionError(
            f"lesson: found {mdp.S} states, expected at most {MOST_STATES}. Take a smaller model of the kind "
            "(tabular-rl make), or solve and explain, which take any size"
        )
    given = None if policy is None else Policy.of(mdp, policy)
    if given is not None and given.timed:
        raise OptionError("policy: found one that depends on time, expected one that does not")
    return Lesson(mdp, page(mdp, given))


def page(mdp: MDP, policy: Policy | None = None) -> str:
    """The text of the page."""
    modules = {path.stem: path.read_text("utf-8") for path in sorted(HERE.glob("*.js"))}
    parts = {
        "title": html.escape(escape(mdp.name) or "A Markov decision process"),
        "facts": _facts(mdp),
        "footer": html.escape(f"Made by tabular-rl. {escape(mdp.source, LONGEST)}".strip()),
        "style": "\n".join(path.read_text("utf-8").strip() for path in sorted(HERE.glob("*.css"))),
        "data": data_text(lesson_data(mdp, reference(mdp), policy)),
        "script": joined(modules),
    }
    return _filled((HERE / "page.html").read_text("utf-8"), parts)


def _filled(template: str, parts: dict[str, str]) -> str:
    """A template with its @parts@; what is filled in is not looked at again."""
    pieces = template.split("@")
    return "".join(piece if at % 2 == 0 else parts[piece] for at, piece in enumerate(pieces))


def _facts(mdp: MDP) -> str:
    """What kind of model it is, in a line of HTML; γ is marked, as the page moves it."""
    ends = int(mdp.terminal.sum())
    kind = "costs are minimised" if mdp.sense == "min" else "rewards are maximised"
    discount = f"γ = {spell_short(mdp.gamma_exact)}"
    problem = mdp.problem.text(mdp, discount, mdp.problem.long)
    facts = html.escape(
        f"{plural(mdp.S, 'state')} ({ends} terminal), {plural(mdp.A, 'action')}, {problem}; {kind}"
    )
    return facts.replace(discount, f'<span data-fact="gamma">{discount}</span>', 1)
