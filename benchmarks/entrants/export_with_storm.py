# requirements: stormpy==2.0.0 numpy==2.4.6
"""Build a model in PRISM's language with Storm and write it as .drn, with a label for the states of each property.

    python export_with_storm.py MODEL CONSTANTS OUT.drn PROPERTIES...

Each of PROPERTIES is a file of properties. The answer is one line of JSON: a list of what can be asked of the .drn,
and why the other properties cannot.
"""

import json
import os
import sys

import numpy as np
import stormpy
from stormpy.io import DirectEncodingExporterOptions, export_to_drn

DIGITS = 17  # of a float, so that it is read back as it was


class Unfit(Exception):
    """Why a property is not asked."""


def main(model, constants, out, *files):
    program = stormpy.parse_prism_program(model, prism_compatibility=True)
    properties, answers = [], []
    for file in files:
        try:
            properties += parsed(file, program)
        except Exception as error:  # of Storm's parser: the other files are asked all the same
            answers.append({"name": os.path.basename(file), "unfit": f"not read: {said(error)}"[:160]})
    program, properties = stormpy.instantiate_constants(program, constants, properties)
    found = stormpy.build_model(program, properties)
    for number, asked in enumerate(properties):
        try:
            answers.append(question(found, program, asked, number))
        except Unfit as reason:
            answers.append({"name": asked.get_name(), "unfit": str(reason)})
    options = DirectEncodingExporterOptions()
    options.output_precision = DIGITS
    export_to_drn(found, out, options=options)
    return {"properties": answers}


def parsed(file, program):
    """Read the properties of a file."""
    with open(file, encoding="utf-8") as text:
        return stormpy.parse_properties(text.read(), program)


def question(model, program, asked, number):
    """What a property asks: labels of the states that end, and the formula over these."""
    formula = asked.get_raw_formula()
    paid, chance = (getattr(formula, f"is_{kind}_operator_formula") for kind in ("reward", "probability"))
    if not (paid or chance) or formula.has_bound:
        raise Unfit("asks no value")
    path = formula.subformula
    if not (path.is_eventually_formula or path.is_until_formula) or path.is_bounded_until_formula:
        raise Unfit("no unbounded reachability")
    if not formula.has_optimality_type and model.model_type.name == "MDP":
        raise Unfit("says neither min nor max")
    best = "max" if "max" in str(formula.optimality_type).lower() else "min"
    goal = states(model, program, path.subformula if path.is_eventually_formula else path.right_subformula)
    avoid = np.zeros(model.nr_states, bool)
    if not path.is_eventually_formula:
        avoid = ~goal & ~states(model, program, path.left_subformula)
    names = {"goal": f"goal_{number}", "avoid": f"avoid_{number}" if avoid.any() else None}
    mark(model, names["goal"], goal)
    if avoid.any():
        mark(model, names["avoid"], avoid)
    until = f'!"{names["avoid"]}" U "{names["goal"]}"' if avoid.any() else f'F "{names["goal"]}"'
    if chance:
        return names | {
            "name": asked.get_name(),
            "sense": best,
            "reward": None,
            "formula": f"P{best}=? [{until}]",
        }
    reward = reward_of(formula, model)
    if not reward:
        raise Unfit('names no reward, expected R{"name"}')
    sure = "min" if best == "max" else "max"  # where F goal is not sure, R is infinite
    chances = stormpy.model_checking(model, stormpy.parse_properties(f"P{sure}=? [{until}]")[0])
    never = int(np.sum(np.array(chances.get_value_vector()) < 1 - 1e-9))
    if never:
        raise Unfit(f"infinite from {never} states")
    text = f'R{{"{reward}"}}{best}=? [{until}]'
    return names | {"name": asked.get_name(), "sense": best, "reward": reward, "formula": text}


def said(error):
    """The first line of an error, which may say nothing."""
    return (str(error).strip() or "no reason is told").splitlines()[0]


def reward_of(formula, model):
    return formula.reward_name if formula.has_reward_model_name else next(iter(model.reward_models.keys()))


def states(model, program, formula):
    """Mark the states where a state formula holds."""
    text = str(formula)
    found = stormpy.model_checking(model, stormpy.parse_properties(text, program)[0])
    mask = np.zeros(model.nr_states, dtype=bool)
    mask[np.array(found.get_truth_values_vector(), dtype=int)] = True
    return mask


def mark(model, label, mask):
    model.labeling.add_label(label)
    for state in np.flatnonzero(mask).tolist():
        model.labeling.add_label_to_state(label, state)


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    try:
        answer = main(*sys.argv[1:])
    except Exception as error:
        answer = {"failed": f"{type(error).__name__}: {said(error)}"[:160]}
    print(json.dumps(answer), file=out, flush=True)
