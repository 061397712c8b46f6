"""A gridworld as a picture in text."""
from tabular_rl.formats.fields import Head, Reader
from tabular_rl.formats.lines import Spot
from tabular_rl.model import MDP


def read_grid(reader: Reader, head: Head, body: Spot) -> MDP:
    raise NotImplementedError
