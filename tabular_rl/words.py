"""One idea has many names, and an option is written in two ways: the tables behind every suggestion and every message.

`meant` knows what a word of another library, or of a book, is called here; Python, the command line and files ask the
same table. `in_python` writes a message that speaks of `--sweeps` as one that speaks of `sweeps=`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# Words for one idea. Which of them is the right one depends on who is asked: a file knows `discount`, Python `gamma`.
IDEAS: tuple[tuple[str, ...], ...] = (
    ("gamma", "discount", "discount_factor", "discount_rate", "beta"),
    ("tolerance", "tol", "atol", "eps", "epsilon", "theta", "precision"),
    ("step_size", "alpha", "lr", "learning_rate", "eta"),
    ("explore", "epsilon", "eps", "exploration", "exploration_rate"),
    ("trace", "lambda", "lambda_", "lam", "lambd", "lmbda", "trace_decay"),
    ("critic_step_size", "critic_lr", "lr_critic", "alpha_w", "alpha_critic"),
    ("entropy", "ent_coef", "entropy_coef", "entropy_beta"),
    ("states", "state_names", "state_labels", "n_states", "num_states"),
    ("actions", "action_names", "action_labels", "n_actions", "num_actions"),
    ("steps", "n_steps", "num_steps", "timesteps", "total_timesteps", "max_steps", "iterations", "n_iter"),
    ("n", "n_steps", "lookahead"),
    ("episodes", "n_episodes", "num_episodes"),
    ("episode_steps", "max_episode_steps", "episode_length", "max_episode_length"),
    ("runs", "n_runs", "num_runs", "n_seeds", "repeats"),
    ("sweeps", "max_iter", "max_iterations", "maxiter", "iterations", "n_iter", "num_iterations"),
    ("inner_sweeps", "m", "evaluation_sweeps"),
    ("improvements", "max_iter", "max_iterations", "maxiter", "iterations"),
    ("horizon", "T", "n_periods", "periods", "stages"),
    ("seed", "random_state", "random_seed", "rng"),
    ("threads", "n_jobs", "workers", "num_threads"),
    ("time_limit", "timeout", "max_time"),
    ("start", "initial", "initial_state", "initial_distribution", "start_state", "s0", "isd", "mu"),
    ("start_value", "initial_value", "q_init", "v_init", "init"),
    ("start_from", "v0", "v_init", "initial_values", "warm_start"),
    ("behavior", "behaviour", "behavior_policy", "behaviour_policy", "mu", "b"),
    ("policy", "pi", "target_policy"),
    ("terminal", "terminals", "terminal_states", "absorbing", "goal", "goals", "goal_states"),
    ("final_reward", "terminal_reward", "salvage"),
    ("reward", "rewards", "R", "r"),
    ("P", "transitions", "transition_probabilities", "T"),
    ("sense", "minimize", "minimise", "objective"),
    ("normalize", "normalise", "rescale"),
    ("data", "log", "transitions", "dataset"),
    ("planning", "planning_steps", "n_planning"),
    ("capacity", "buffer_size", "memory_size"),
    ("batch", "batch_size"),
    ("target", "target_update", "tau"),
)
# How an idea is given, where a bare number is not enough.
FORMS = {("epsilon", "explore"): "epsilon-greedy:0.1", ("eps", "explore"): "epsilon-greedy:0.1"}


def plain(word: str) -> str:
    """
    >>> plain("--step-size"), plain("tol")
    ('step_size', 'tol')
    """
    return word.lstrip("-").replace("-", "_")


def meant(word: str, known: Iterable[str]) -> list[str] | None:
    """Return the known words for the idea of another word; None where the word is in no table.

    >>> meant("alpha", ["step_size", "steps"]), meant("--lambda", ["--gamma", "--trace"]), meant("young", ["old"])
    (['step_size'], ['--trace'], None)
    """
    asked = plain(word)
    ideas = [idea for idea in IDEAS if asked in idea]
    if not ideas:
        return None
    of = {plain(name): name for name in known}
    found = (name for idea in ideas for name in idea if name != asked and name in of)
    return [of[name] for name in dict.fromkeys(found)]


def form_of(word: str, name: str) -> str:
    """What stands behind a suggestion: how the idea is given, or nothing.

    >>> form_of("--epsilon", "--explore")
    ' (epsilon-greedy:0.1)'
    """
    form = FORMS.get((plain(word), plain(name)))
    return f" ({form})" if form else ""


# -- two ways to write an option --------------------------------------------------------------------------------------

# Options that Python asks for in another way. Longer phrases come first.
PHRASES = {
    "go on with --resume": "go on with resume=learned",
    "--all shows": "save(path) writes",
    "--all names": "optimal_actions names",
    "--exact:": "rational:",
    "--exact": 'method="rational"',
    "--normalize": "normalize=True",
    "--relative": "relative=True",
    "--average": "average=True",
}
VALUES = r"\d[\w./]*|independent|iterative|weighted|log|epsilon-greedy:\S+"
OPTION = re.compile(
    r"(?P<text>(?<!\w)'[^'\n]*')|(?P<phrase>" + "|".join(map(re.escape, PHRASES)) + r")(?![\w:-])"
    r"|(?<![\w-])--(?P<name>[a-z][a-z-]*)(?:(?P<colon>:)|(?P<value> (?:" + VALUES + r"))(?![\w-]))?"
)


def in_python(message: str) -> str:
    """Return a message that speaks of options as one that speaks of arguments. What stands in quotes is the user's.

    >>> in_python("--sweeps: found '--x', expected more; raise --sweeps, or use --exact")
    'sweeps: found \\'--x\\', expected more; raise sweeps=, or use method="rational"'
    >>> in_python("--source independent or --episode-steps 1000 may help. Load it with --normalize.")
    'source="independent" or episode_steps=1000 may help. Load it with normalize=True.'
    """

    def written(found: re.Match[str]) -> str:
        if found["text"]:
            return found["text"]
        if found["phrase"]:
            return PHRASES[found["phrase"]]
        name = found["name"].replace("-", "_")
        if found["colon"]:
            return f"{name}:"
        if found["value"] is None:
            return f"{name}="
        value = found["value"][1:]
        return f"{name}={value}" if value.replace(".", "").isdigit() else f'{name}="{value}"'

    return OPTION.sub(written, message) if "--" in message else message
