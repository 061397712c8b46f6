"""Which column of a log is which: by the usual names, or as the caller says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tabular_rl.errors import OptionError, closest, escape, quoted
from tabular_rl.model.mdp import MDP

# What a column is, and the names by which it is known, in small letters with _ between words.
ROLES: dict[str, tuple[str, ...]] = {
    "state": ("state", "states", "s", "obs", "observation", "observations", "state_t", "s_t"),
    "action": ("action", "actions", "a", "act", "acts", "action_t", "a_t"),
    "reward": ("reward", "rewards", "r", "rew", "rews", "reward_t", "r_t"),
    "next_state": (
        "next_state", "next_states", "s2", "s_next", "next_s", "next_obs", "next_observation", "next_observations",
        "obs_next", "obs2", "new_state", "new_obs", "nextstate", "state_next", "s_prime", "s'", "sp",
    ),
    "done": (
        "done", "dones", "terminal", "terminals", "terminated", "terminateds", "termination", "terminations",
        "is_terminal", "is_done",
    ),
    "truncated": (
        "truncated", "truncateds", "truncation", "truncations", "timeout", "timeouts", "time_out", "is_truncated",
    ),
    "episode": (
        "episode", "episodes", "episode_id", "episode_index", "episode_number", "ep", "ep_id", "trajectory",
        "trajectories", "trajectory_id", "traj", "traj_id",
    ),
    "step": ("step", "steps", "step_id", "t", "time", "time_step", "timestep", "timesteps"),
    "propensity": (
        "propensity", "propensities", "propensity_score", "pscore", "prob", "probability", "action_prob",
        "action_probability", "behavior_prob", "behaviour_prob", "behavior_probability", "behaviour_probability",
    ),
}  # fmt: skip
NEEDED = ("state", "action", "reward")
Where = dict[str, int]


@dataclass(frozen=True)
class LogAsked:
    """What the caller asks for: the model whose names a log uses, and which column is which."""

    mdp: MDP | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Found:
    """The number of the column of each role, what the columns are called, and those that are not used."""

    at: Where
    names: tuple[str, ...]

    def called(self, role: str) -> str:
        """Return what the log calls the column of a role."""
        return self.names[self.at[role]] if role in self.at else role

    @property
    def unused(self) -> list[str]:
        """The names of columns that no role takes, without those that have none."""
        taken = set(self.at.values())
        return [name for i, name in enumerate(self.names) if i not in taken and name.strip()]


def plain(name: str) -> str:
    """Return a name in small letters, with _ between its words.

    >>> plain(" Next State"), plain("episode-id")
    ('next_state', 'episode_id')
    """
    return "_".join(name.strip().lower().replace("-", " ").replace("_", " ").split())


def asked_columns(columns: Mapping[str, str] | str | Iterable[str]) -> dict[str, str]:
    """Return the columns that the caller names, by role; OptionError where one is no role, or is named twice.

    >>> asked_columns("state=patient state,action=dose")
    {'state': 'patient state', 'action': 'dose'}
    """
    made: dict[str, str] = {}
    for key, name in columns.items() if isinstance(columns, Mapping) else _pairs(columns):
        word = plain(str(key))
        role = next((role for role, known in ROLES.items() if word in known), word)
        if role not in ROLES:
            known = ", ".join(ROLES)
            hint = closest(role, ROLES) or f", expected one of {known}"
            raise OptionError(f"--columns: found {quoted(key)}{hint}")
        if role in made or str(name) in made.values():
            twice = key if role in made else name
            raise OptionError(f"--columns: found {quoted(twice)} twice, expected it once")
        made[role] = str(name)
    return made


def _pairs(texts: str | Iterable[str]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of texts ROLE=NAME,ROLE=NAME."""
    for text in [texts] if isinstance(texts, str) else texts:
        for part in str(text).split(","):
            role, equals, name = part.partition("=")
            if not (equals and role.strip() and name.strip()):
                raise OptionError(
                    f"--columns: found {quoted(part)}, expected ROLE=NAME such as state=patient_state"
                )
            yield role, name.strip()


def roles_of(names: Sequence[str], asked: LogAsked) -> Found:
    """Return which column has which role; ValueError with a line where one lacks, or two could be it.

    Parameters
    ----------
    names : of the columns
    asked : the model, where there is one, and the columns that the caller names

    Returns
    -------
    Found

    Raises
    ------
    ValueError : a role without a column, or with two

    Examples
    --------
    >>> roles_of(["obs", "action", "rew", "next_obs", "terminated", "info"], LogAsked()).at
    {'state': 0, 'action': 1, 'reward': 2, 'next_state': 3, 'done': 4}
    """
    words = [plain(name) for name in names]
    at = {role: _place(role, name, names, words) for role, name in asked.columns.items()}
    taken = set(at.values())
    for role, known in ROLES.items():
        if role in at:
            continue
        could = [i for i, word in enumerate(words) if word in known and i not in taken]
        if len(could) > 1:
            _refuse_two(role, [names[i] for i in could[:2]])
        if could:
            at[role] = could[0]
    for role in (*NEEDED, *(() if asked.mdp else ("done",))):  # a model says which states are terminal
        if role not in at:
            raise ValueError(f"found no column {quoted(role)}{_way_out(role, names, set(at.values()))}")
    if "next_state" not in at and not {"episode", "truncated"} & at.keys():
        raise ValueError(
            "found no column 'next_state', and none that says where episodes are cut off, expected the first, or "
            "episode or truncated: then the next line says it. --columns next_state=NAME or --columns "
            "episode=NAME; there are " + _listed(names)
        )
    return Found({role: at[role] for role in ROLES if role in at}, tuple(names))


def _place(role: str, name: str, names: Sequence[str], words: Sequence[str]) -> int:
    """Return the number of the column that the caller names for a role."""
    exact = [i for i, other in enumerate(names) if other == name]
    same = exact or [i for i, word in enumerate(words) if word == plain(name)]
    if not same:
        hint = closest(name, list(names)) or f", expected one of those of the log: {_listed(names)}"
        raise ValueError(f"--columns: {role}: found no column {quoted(name)}{hint}")
    if len(same) > 1:
        raise ValueError(f"found the column {quoted(name)} twice, expected it once")
    return same[0]


def _refuse_two(role: str, two: list[str]) -> None:
    one, other = two
    if plain(one) == plain(other):
        raise ValueError(f"found the column {quoted(one)} twice, expected it once")
    ways = " or ".join(f"--columns {role}={escape(name)}" for name in two)
    raise ValueError(
        f"found the columns {quoted(one)} and {quoted(other)}, each of which could be {role}: say {ways}"
    )


def _way_out(role: str, names: Sequence[str], taken: set[int]) -> str:
    """Return how a role that lacks is found: a name that is nearly one of its own, or its usual names."""
    free = [name for i, name in enumerate(names) if i not in taken and name.strip()]
    words = {word for word in ROLES[role] if len(word) > 2}
    near = next((name for name in free if words & set(plain(name).split("_")[-1:])), None) or next(
        (name for name in free if closest(plain(name), ROLES[role])), None
    )
    if near is not None:
        return f"; is it {quoted(near)}? Then say --columns {role}={escape(near)}"
    usual = ", ".join(ROLES[role][:4])
    return f", expected it, under a usual name ({usual} ...) or as --columns {role}=NAME; there are {_listed(names)}"


def _listed(names: Sequence[str], most: int = 8) -> str:
    shown = [quoted(name) for name in names if name.strip()]
    return ", ".join(shown[:most] + (["..."] if len(shown) > most else [])) or "none"


def if_a_log(names: Iterable[str]) -> str:
    """Return the way out where a model is expected and the names of columns are those of a log; else "".

    >>> if_a_log(["State", "Action", "Reward", "Next state", "Probability"])
    ''
    """
    words = {plain(name) for name in names}
    has = {role for role, known in ROLES.items() if words & set(known)}
    said = has & {"done", "truncated", "episode", "step"}
    if "probability" in words or not {"state", "reward"} <= has or not said:
        return ""
    return ". This looks like a log: the command estimate makes a model of it, and learn takes it as --data"
