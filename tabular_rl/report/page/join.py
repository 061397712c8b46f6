"""One script out of many modules: each becomes a function that returns what it exports, and no import is left.

Browsers load no modules from a file that was opened from disk, and a page shall be one file. So the modules of this
folder, which editors and other programs read as they are, are joined here: sorted so that each stands behind what it
imports, and kept apart by a scope of its own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NAME = r"[A-Za-z_$][\w$]*"
SOME = re.compile(rf'import \{{ ({NAME}(?:, {NAME})*) \}} from "\./([\w]+)\.js";')
ALL = re.compile(rf'import \* as ({NAME}) from "\./([\w]+)\.js";')
EXPORT = re.compile(rf"export (?=(?:async )?(?:function\*?|const|let|class) ({NAME}))")


def joined(modules: Mapping[str, str]) -> str:
    """Return modules as one script, in which nothing is imported any more.

    Parameters
    ----------
    modules : the text of each module by its name, "store" for store.js. An import stands in one line, as
        `import { a, b } from "./store.js";` or `import * as store from "./store.js";`; what is exported is a function,
        a class, a const or a let, where it is declared

    Returns
    -------
    The script, which may stand between <script> and </script>.

    Raises
    ------
    ValueError : an import or export of another form, of what is not there, or in a circle

    Examples
    --------
    >>> print(joined({"one": 'import { a } from "./two.js";\\nlet b = a;', "two": "export const a = 1;"}))
    "use strict";
    const $two = (() => {
    const a = 1;
    return { a };
    })();
    const $one = (() => {
    const { a } = $two;
    let b = a;
    return {};
    })();
    """
    parts = {name: _scoped(name, text, modules) for name, text in modules.items()}
    script = "\n".join(['"use strict";', *(parts[name] for name in _sorted(modules))])
    return script.replace("</", "<\\/").replace("<!--", "<\\!--")


def _scoped(name: str, text: str, modules: Mapping[str, str]) -> str:
    """A module as a function that is called at once and returns its exports."""
    lines = [_plain(name, line, modules) for line in text.strip().split("\n")]
    return "\n".join(
        [f"const ${name} = (() => {{", *lines, f"return {{{_listed(_exports(text))}}};", "})();"]
    )


def _listed(names: list[str]) -> str:
    return f" {', '.join(names)} " if names else ""


def _exports(text: str) -> list[str]:
    return [found.group(1) for line in text.split("\n") if (found := EXPORT.match(line))]


def _plain(name: str, line: str, modules: Mapping[str, str]) -> str:
    """A line without its import or export."""
    if some := SOME.fullmatch(line):
        missing = [x for x in some.group(1).split(", ") if x not in _exports(modules.get(some.group(2), ""))]
        if missing:
            raise ValueError(f"{name}.js: {some.group(2)}.js exports no {', '.join(missing)}")
        return f"const {{ {some.group(1)} }} = ${some.group(2)};"
    if every := ALL.fullmatch(line):
        return f"const {every.group(1)} = ${every.group(2)};"
    found = EXPORT.sub("", line, count=1) if EXPORT.match(line) else line
    if re.match(r"(import|export)\b", found):
        raise ValueError(f"{name}.js: found {line!r}, expected an import or export of the usual form")
    return found


def _imported(text: str) -> list[str]:
    found = (SOME.fullmatch(line) or ALL.fullmatch(line) for line in text.split("\n"))
    return [x.group(2) for x in found if x]


def _sorted(modules: Mapping[str, str]) -> list[str]:
    """The names of modules, each behind what it imports."""
    done: list[str] = []

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in above:
            raise ValueError(f"modules import each other in a circle: {' -> '.join([*above, name])}")
        if name not in modules:
            raise ValueError(f"{above[-1]}.js imports {name}.js, which is not there")
        if name in done:
            return
        for other in _imported(modules[name]):
            visit(other, (*above, name))
        done.append(name)

    for name in sorted(modules):
        visit(name, ())
    return done
