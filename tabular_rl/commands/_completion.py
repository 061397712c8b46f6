"""Completion by the Tab key in bash, zsh and fish: the scripts that they load, and the program's answers to them.

A script sends the line up to the cursor as COMP_LINE. The answer is a line that says whether names of files fit too,
and then a line for each word that fits. Click's own scripts know nothing of files and stumble over colons.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import click

from tabular_rl.commands._files import input_path
from tabular_rl.commands._options import Value
from tabular_rl.commands._program import COMMANDS, program
from tabular_rl.formats import load
from tabular_rl.formats.bundled import documents, examples
from tabular_rl.formats.importers.named_arrays import NAMES
from tabular_rl.formats.log_roles import ROLES
from tabular_rl.methods.gradient.estimators import ESTIMATORS
from tabular_rl.methods.lookup import LEARNERS, METHODS, PLANNERS, canonical
from tabular_rl.model.calls import Option
from tabular_rl.report.screen import note, out

VARIABLE = "_TABULAR_RL_COMPLETE"
MOST = 1000  # names of states that are offered
ENVIRONMENTS = ("CliffWalking-v1", "FrozenLake-v1", "FrozenLake8x8-v1", "Taxi-v4")  # those that have P
SMALL = 1_000_000  # bytes of a model that is read for the names of its states and actions

BASH = """\
_tabular_rl_completion() {
    local -a reply
    local kept rest name
    mapfile -t reply < <(COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDBREAKS="$COMP_WORDBREAKS" \\
        _TABULAR_RL_COMPLETE=bash_complete "$1" 2>/dev/null)
    COMPREPLY=("${reply[@]:1}")
    if [[ ${reply[0]} == files* ]]; then
        IFS=$'\\x1f' read -r _ kept rest <<< "${reply[0]}"
        if [[ -z $kept && ${#COMPREPLY[@]} -eq 0 ]]; then
            compopt -o default
            return
        fi
        compopt -o filenames
        while IFS= read -r name; do COMPREPLY+=("$kept$name"); done < <(compgen -f -- "$rest")
    fi
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:=,] ]]; then
        compopt +o filenames -o nospace
    fi
}
complete -o nosort -F _tabular_rl_completion tabular-rl
"""

ZSH = """\
#compdef tabular-rl
_tabular_rl_completion() {
    local -a reply plain open
    local line word=$PREFIX
    [[ -n $compstate[quote] ]] && word=${(q)PREFIX}
    reply=("${(@f)$(COMP_LINE="${(j: :)words[1,CURRENT-1]} $word" \\
        _TABULAR_RL_COMPLETE=zsh_complete "${(Q)words[1]}" 2>/dev/null)}")
    for line in "${(@)reply[2,-1]}"; do
        word=${line%%$'\\x1f'*}
        if [[ $word == *[:=,] ]]; then
            open+=("${word//:/\\\\:}:${line#*$'\\x1f'}")
        else
            plain+=("${word//:/\\\\:}:${line#*$'\\x1f'}")
        fi
    done
    (( $#plain )) && _describe -V 'tabular-rl' plain
    (( $#open )) && _describe -V 'tabular-rl' open -S ''
    if [[ $reply[1] == files* ]]; then
        (( ${reply[1]#*$'\\x1f'} )) && compset -p ${reply[1]#*$'\\x1f'}
        _files
    fi
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _tabular_rl_completion "$@"
else
    compdef _tabular_rl_completion tabular-rl
fi
"""

FISH = """\
function __tabular_rl_completion
    set -l line (commandline -cp | string collect)
    set -l reply (env COMP_LINE="$line" _TABULAR_RL_COMPLETE=fish_complete tabular-rl 2>/dev/null)
    for item in $reply[2..-1]
        string replace \\x1f \\t -- $item
    end
    if string match -q 'files*' -- $reply[1]
        set -l parts (string split \\x1f -- $reply[1])
        for name in (__fish_complete_path $parts[3])
            echo $parts[2]$name
        end
    end
end
complete --command tabular-rl --no-files --keep-order --arguments '(__tabular_rl_completion)'
"""

SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}
BETWEEN = "\x1f"  # stands between the parts of a line of the answer


def completion(instruction: str) -> int:
    """Write what a shell asks for: SHELL_source its script, SHELL_complete the words that fit."""
    shell, _, what = instruction.partition("_")
    if shell not in SCRIPTS or what not in ("source", "complete"):
        note(f"{VARIABLE}: found {instruction!r}, expected bash_source, zsh_source or fish_source\n")
        return 2
    out(SCRIPTS[shell] if what == "source" else answer(shell, os.environ.get("COMP_LINE", "")))
    return 0


def answer(shell: str, line: str) -> str:
    """Return what a shell is to know of a line up to the cursor."""
    typed = Typed.of(line)
    with suppress(Exception):  # nobody wants a message in the middle of a line
        offer = offered(typed.words[1:], typed.word)
        if shell == "bash":
            return _bash(typed, offer)
        before = offer.files or ""
        files = [str(len(before))] if shell == "zsh" else [before, typed.word[len(before) :]]
        return _reply(offer, files, [word + BETWEEN + " ".join(text.split()) for word, text in offer.words])
    return "words\n"


def _reply(offer: Offer, files: list[str], words: list[str]) -> str:
    """Return an answer: whether names of files fit, with what is said of them, and the words."""
    head = "words" if offer.files is None else BETWEEN.join(("files", *files))
    return "\n".join([head, *words]) + "\n"


# -- the line --------------------------------------------------------------------------------------------------------


@dataclass
class Typed:
    """A line cut into words as a shell does: the words before the cursor, and the one that it stands at.

    `raw` is that last word as it stands in the line, `quoted` where in it an open quotation begins, or None.

    >>> Typed.of("tabular-rl solve 'my file.toml' --pol")
    Typed(words=['tabular-rl', 'solve', 'my file.toml'], word='--pol', raw='--pol', quoted=None)
    """

    words: list[str]
    word: str = ""
    raw: str = ""
    quoted: int | None = None

    @classmethod
    def of(cls, line: str) -> Typed:
        words: list[str] = []
        word, start, quote, quoted = "", None, "", None
        at = 0
        while at < len(line):
            c = line[at]
            if not quote and c in " \t\n":
                if start is not None:
                    words.append(word)
                word, start = "", None
            else:
                start = at if start is None else start
                if c == quote:
                    quote = ""
                elif not quote and c in "'\"":
                    quote, quoted = c, at - start
                elif c == "\\" and quote != "'" and at + 1 < len(line):
                    at += 1
                    word += line[at]
                else:
                    word += c
            at += 1
        return cls(words, word, line[start:] if start is not None else "", quoted if quote else None)


def _bash(typed: Typed, offer: Offer) -> str:
    """Return the words without the part that readline leaves as it is: up to a colon, or to an open quotation mark."""
    raw, breaks = typed.raw, os.environ.get("COMP_WORDBREAKS", ":=")
    cut = 0
    if typed.quoted is None:
        for at, c in enumerate(raw):
            if c in breaks and c not in "\"'" and raw[at - 1 : at] != "\\":
                cut = at + 1
    else:
        cut = typed.quoted
    done = len(Typed.of(raw[:cut]).word)
    words = [word[done:] for word, _ in offer.words]
    if typed.quoted is None:
        words = ["".join("\\" * (c in " \t\"'\\<>;|&()$`*?[]#~!{}") + c for c in word) for word in words]
    files = offer.files or ""
    return _reply(offer, [files[done:], typed.word[max(done, len(files)) :]], words)


# -- what fits -------------------------------------------------------------------------------------------------------


@dataclass
class Offer:
    """What may stand at the cursor: whole words, each with what it means; `files`, what precedes a file name there."""

    words: list[tuple[str, str]] = field(default_factory=list)
    files: str | None = None

    def only(self, typed: str) -> Offer:
        return Offer([(word, text) for word, text in self.words if word.startswith(typed)], self.files)

    def behind(self, prefix: str) -> Offer:
        """Return the same behind something that is typed already."""
        files = None if self.files is None else prefix + self.files
        return Offer([(prefix + word, text) for word, text in self.words], files)


def offered(words: list[str], word: str) -> Offer:
    """Return what fits at the end of a command line, the program's name left out."""
    command: click.Command = program
    name = ""
    while isinstance(command, click.Group):
        at = next((i for i, x in enumerate(words) if not x.startswith("-")), None)
        if at is None:
            return (_flags(command) if word.startswith("-") else _commands(command)).only(word)
        below = command.get_command(click.Context(command), words[at])
        if below is None:
            return Offer()
        command, name, words = below, name or words[at], words[at + 1 :]
    given, waiting, free = _parsed(command, words)
    if waiting is None and free and word.startswith("-") and word != "-":
        if "=" not in word:
            return _flags(command).only(word)
        flag, _, value = word.partition("=")
        found = _options(command).get(flag)
        if found is None or not _waits(found):
            return Offer()
        return _values(name, found, value, given).only(value).behind(flag + "=")
    if waiting is None:
        arguments = [p for p in command.params if isinstance(p, click.Argument)]
        waiting = next((p for p in arguments if p.nargs == -1 or str(p.name) not in given), None)
    return Offer() if waiting is None else _values(name, waiting, word, given).only(word)


def _commands(group: click.Group) -> Offer:
    """Return the commands of the program, or the families of `make`."""
    if group is program:
        return Offer(list(COMMANDS.items()))
    ctx = click.Context(group)
    families = ((name, group.get_command(ctx, name)) for name in group.list_commands(ctx))
    return Offer([(name, family.get_short_help_str(200)) for name, family in families if family])


def _options(command: click.Command) -> dict[str, click.Option]:
    return {flag: p for p in command.params if isinstance(p, click.Option) for flag in p.opts}


def _waits(option: click.Option) -> bool:
    """Whether an option takes a value: a flag does not, nor one that is counted, such as -qq."""
    return not (option.is_flag or option.count)


def _flags(command: click.Command) -> Offer:
    """Return the long names of the options."""
    words = [(p.opts[-1], p.help or "") for p in command.params if isinstance(p, click.Option)]
    return Offer([*words, ("--help", "Show this message and exit.")])


def _parsed(command: click.Command, words: list[str]) -> tuple[dict[str, Any], click.Parameter | None, bool]:
    """Return what is given so far, the option that waits for a value, and whether options may still come."""
    options = _options(command)
    arguments = iter(p for p in command.params if isinstance(p, click.Argument))
    given: dict[str, Any] = {}
    waiting: click.Option | None = None
    missing, free = 0, True
    for word in words:
        if waiting is not None:
            given.setdefault(str(waiting.name), []).append(word)
            missing -= 1
            waiting = waiting if missing else None
        elif free and word == "--":
            free = False
        elif free and word.startswith("-") and word != "-":
            flag, equals, value = word.partition("=")
            option = options.get(flag)
            if option is not None and equals:
                given.setdefault(str(option.name), []).append(value)
            elif option is not None and _waits(option):
                waiting, missing = option, option.nargs
        else:
            argument = next(arguments, None)
            if argument is not None:
                given[str(argument.name)] = word
    return given, waiting, free


# What is offered for the value of an option, by what its help calls it.
WORDS = {
    "ROLE=COLUMN": [f"{role}=" for role in ROLES],
    "COLUMN": ROLES["episode"],
    "KEY=VALUE": [f"{name}=" for name in NAMES],
    "ALPHA": ["1", "1/2"],
    "NAME": [*ESTIMATORS[:-1], "gae:"],
}


def _values(name: str, parameter: click.Parameter, word: str, given: dict[str, Any]) -> Offer:
    """Return what an option or argument of a command takes, by what its help calls it."""
    if isinstance(parameter.type, click.Choice):
        return _plain(parameter.type.choices)
    if isinstance(parameter.type, Value):
        return _of_option(parameter.type.option)
    kind = (parameter.metavar or str(parameter.name)).strip("[].").upper()
    if kind in ("FILE", "LOG", "ANSWER", "OUTPUT"):
        return Offer(files="")
    if kind == "MODEL":
        return _models(word)
    if kind == "POLICY":
        return _policies(word, given, log=str(parameter.name) == "behavior")
    if kind == "METHOD":
        return _methods(name, word)
    if kind == "COMMAND|METHOD|PAGE|WORD":
        return _topics(given)
    if kind in ("STATE", "ACTION", "STATE ACTION"):
        second = kind == "ACTION" or (kind != "STATE" and len(given.get(str(parameter.name), ())) % 2)
        return _plain(_names(given)[1 if second else 0])
    if kind in WORDS:
        return _plain(WORDS[kind])
    return Offer()


def _plain(words: Iterable[str]) -> Offer:
    return Offer([(word, "") for word in words])


def _of_option(option: Option) -> Offer:
    words = [(word, "") for word in (*option.choices, *option.begins)]
    return Offer(words, "" if option.name == "features" else None)


def _models(word: str) -> Offer:
    """Return files; behind `example:` the models that come along, behind `gymnasium:` usual environments."""
    if word.startswith("example:"):
        return _plain(f"example:{name}" for name in examples())
    if word.startswith("gymnasium:"):
        return _plain(f"gymnasium:{name}" for name in ENVIRONMENTS)
    kinds = [("example:", "a model that comes with the program"), ("gymnasium:", "a Gymnasium environment")]
    return Offer(kinds, "")


def _policies(word: str, given: dict[str, Any], log: bool) -> Offer:
    """Return the words of --policy, and what may stand behind each: a file, an action or another policy."""
    keyword, colon, rest = word.partition(":")
    if keyword == "greedy" and colon:
        return Offer(files="greedy:")
    if keyword == "action" and colon:
        return _plain(_names(given)[1]).behind("action:")
    if keyword == "epsilon-greedy" and colon:
        epsilon, second, policy = rest.partition(":")
        before = f"epsilon-greedy:{epsilon}:"
        return _policies(policy, given, log=False).behind(before) if second else _plain([f"{keyword}:0.1:"])
    words = ["uniform", "optimal", "greedy:", "epsilon-greedy:", "action:", *["log"] * log]
    return Offer([(known, "") for known in words], "")


def _methods(name: str, word: str) -> Offer:
    """Return the methods of a command; in `compare` the options of a method may follow it, each behind a comma."""
    task = {"solve": "control", "evaluate": "prediction"}.get(name)
    known = LEARNERS if name == "learn" else PLANNERS if task else METHODS
    found = [f for f in known.values() if task is None or f.task == task]
    head, comma, last = word.rpartition(",")
    if comma and name == "compare":
        method = METHODS.get(canonical(head.split(",")[0]))
        options = {} if method is None else method.options
        key, equals, _ = last.partition("=")
        if equals:
            option = options.get(key.replace("-", "_"))
            return (Offer() if option is None else _of_option(option[0])).behind(f"{head},{key}=")
        offer = Offer([(o.flag[2:] + "=" * (o.kind is not bool), o.help) for o, _ in options.values()])
        return offer.behind(head + ",")
    return Offer([(m.word if task else m.name, m.summary) for m in found])


def _topics(given: dict[str, Any]) -> Offer:
    """Return what `help` knows: commands, pages and methods; behind `make` its families."""
    if given:
        below = program.get_command(click.Context(program), str(given["topic"]))
        return _commands(below) if isinstance(below, click.Group) else Offer()
    methods = [(name, f.summary) for name, f in METHODS.items()]
    return Offer([*COMMANDS.items(), *((page, "a page of the documents") for page in documents()), *methods])


def _names(given: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Return the states and actions of the model that is named on the line, none where it is large or there is none."""
    with suppress(Exception):
        model = given["model"]
        model = model[-1] if isinstance(model, list) else model  # an option, in `ope`
        path = input_path(model)
        if path is not None and os.path.isfile(path) and os.path.getsize(path) <= SMALL:
            mdp = load(model)
            states, actions = (
                [name for name in islice(names, MOST) if name.isprintable()]
                for names in (mdp.states, mdp.actions)
            )
            return states, actions
    return [], []
