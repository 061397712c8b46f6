"""What a lower folder asks of a higher one. `tabular_rl/__init__.py` fills each hook, and nothing else does.

So an answer draws itself though the folder that draws lies above it, and no import points uphill.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any


class Hook:
    """A function that is filled in from above.

    >>> doubled = Hook("doubles a number")
    >>> doubled.fill(lambda x: 2 * x)
    >>> doubled(3)
    6
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self._function: Callable[..., Any] | None = None

    def fill(self, function: Callable[..., Any]) -> None:
        """Make this the function that is called."""
        self._function = function

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the function; RuntimeError where nobody has filled it in."""
        if self._function is None:
            raise RuntimeError(f"nothing {self.what} yet: import tabular_rl first")
        return self._function(*arguments, **options)


def later(module: str, name: str) -> Callable[..., Any]:
    """Return a function that calls one of a module, which is imported when it is first called.

    >>> later("math", "sqrt")(4.0)
    2.0
    """
    return lambda *arguments, **options: getattr(import_module(module), name)(*arguments, **options)


text_of = Hook("prints an answer")  # answer -> the text that `print` shows
write = Hook("writes an answer to a file")  # answer, path, format or None
regret = Hook("says what learned policies lose")  # Learned -> Regret
planners = Hook("lists the methods that plan with a model")  # nothing -> Methods
verdicts = Hook("says what theory knows of a run")  # Learning -> sentences: why it will not converge
best_policy = Hook("finds a best policy")  # model -> Policy
read_policy = Hook("reads the text of a policy")  # text, model -> Policy
read_dictionary = Hook(
    "reads a dictionary"
)  # arguments of importers.dictionary.model_arguments -> those of from_rows
estimate = Hook("estimates a model")  # a Log and gamma -> Estimate
agent = Hook("lets a policy play")  # what Policy.as_agent takes -> Agent
gymnasium = Hook("reads an environment")  # what MDP.from_gymnasium takes -> MDP
read_quantecon = Hook("reads arrays of QuantEcon")  # R, Q, s_indices, a_indices -> P, R
read_toolbox = Hook("reads arrays of pymdptoolbox")  # P, R -> P, R, axes of R
export = Hook("makes what other tools take")  # name of the tool, model, options -> what it takes
counting = Hook("tells how many states were found")  # nothing -> a context with a function of (seen, found)
html_of = Hook("shows a model or an answer in a notebook")  # anything that is shown -> HTML
sheet_of = Hook("writes the sheet of an exercise")  # Exercise, form, whether with its solution -> text
frame_of = Hook("makes a frame of an answer")  # Solution or Policy, library, what it holds -> frame
read_policy_frame = Hook("reads a policy from a frame")  # model, frame -> Policy
plot = Hook("draws a model or an answer")  # anything that is shown, Axes or None, name of a picture -> Axes


class Framed:
    """What is had as one data frame or another: answers, policies, comparisons."""

    __slots__ = ()

    def to_frame(self, library: str = "", what: str = "") -> Any:
        """Return it as a data frame, a row a state; of a finite horizon a row for each time and state.

        The columns are those of its CSV file: `state`, `value`, `lower`, `upper`, `action` of an answer (and `visits`
        of what was learned), `state` and `action` of a policy, `state`, `action` and `probability` of one that chance
        decides; `time` first where there is a horizon. With what="q" an answer has a row for each available pair:
        `state`, `action`, `probability` by its policy, `q`, and `optimal` where the action is not proven worse than
        the best. What is not known is null. `verify` and `Policy.from_frame` read these frames.

        A comparison has a row for each method: `method`, `error_at_least` and `error`, `bound`, `loss` (at most),
        `status`, `seconds`; of a learner error and loss are medians over its runs. With what="curves" it has the
        curves of its learners, with the columns of its CSV file.

        Parameters
        ----------
        library : "pandas", "polars" or "pyarrow"; without, pandas where it is installed, else polars
        what : "values", the default, or "q"; of a comparison "methods", the default, or "curves"

        Returns
        -------
        A DataFrame of pandas or polars, or a Table of pyarrow.

        Raises
        ------
        MissingExtra : the library is not installed; the extra is `frames`
        OptionError : another library, or nothing of this name
        """
        return frame_of(self, library, what)

    def to_arrow(self, what: str = "") -> Any:
        """Return it as a Table of pyarrow: `to_frame("pyarrow")`."""
        return frame_of(self, "pyarrow", what)


class Tabled:
    """What is had as one data frame: a log, a model estimated from it, an evaluation by it."""

    __slots__ = ()

    def to_frame(self, library: str = "") -> Any:
        """Return it as a data frame of pandas or polars, or as a table of pyarrow.

        A log has a row for each transition, with the columns that `read_log` reads; an estimate one for each outcome,
        with its `probability`, `reward` and `count`; an off-policy evaluation one for each estimator, with the columns
        of its CSV. What is not known is null.

        Parameters
        ----------
        library : "pandas", "polars" or "pyarrow"; without, pandas where it is installed, else polars
        """
        return frame_of(self, library, "")

    def to_arrow(self) -> Any:
        """Return it as a Table of pyarrow: `to_frame("pyarrow")`."""
        return frame_of(self, "pyarrow", "")


class Shown:
    """What shows itself in a notebook."""

    __slots__ = ()

    def _repr_html_(self) -> str:
        """Return what a notebook shows."""
        return str(html_of(self))


class Drawn(Shown):
    """What draws itself too: models, policies, and answers of which there is a picture."""

    __slots__ = ()

    def plot(self, ax: Any = None, draw: str = "") -> Any:
        """Draw it between axes of matplotlib, and return these. It needs the extra `plot`.

        Parameters
        ----------
        ax : matplotlib's Axes; without, those of a new figure
        draw : one of several pictures, such as "values", "policy", "q", "graph"; the first by default

        Returns
        -------
        matplotlib's Axes.

        Raises
        ------
        MissingExtra : matplotlib is not installed
        OptionError : there is no such picture: those that there are, are named; or `ax` are no Axes
        """
        return plot(self, ax, draw)
