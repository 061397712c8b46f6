"""Model files: TOML for people, CSV for spreadsheets, npz and directories of arrays for programs."""

from tabular_rl.formats.models import format_of as format_of
from tabular_rl.formats.models import load as load
from tabular_rl.formats.models import save as save
