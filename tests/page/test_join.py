"""Modules become one script: each behind what it imports, in a scope of its own, with no import left."""

import re

import pytest

from tabular_rl.report.page.join import joined
from tabular_rl.report.page.lesson import HERE

A = "export function a() { return 1; }"


def test_what_is_imported_stands_before():
    script = joined({"a": A, "b": 'import { a } from "./a.js";\nexport const b = a();'})
    assert script.index("const $a =") < script.index("const $b =")
    assert "const { a } = $a;" in script and "return { b };" in script


def test_two_modules_may_use_the_same_name():
    script = joined({"a": A, "b": "function a() {}"})
    assert script.count("function a()") == 2
    assert "return {};" in script


def test_a_whole_module_can_be_imported():
    assert "const all = $a;" in joined({"a": A, "b": 'import * as all from "./a.js";'})


@pytest.mark.parametrize(
    ("modules", "fault"),
    [
        ({"b": 'import { a } from "./a.js";'}, "exports no a"),
        ({"a": A, "b": 'import { c } from "./a.js";'}, "exports no c"),
        ({"b": 'import * as a from "./a.js";'}, "a.js, which is not there"),
        ({"a": A, "b": 'import {a} from "./a.js";'}, "expected an import or export of the usual form"),
        ({"a": "export default 1;"}, "expected an import or export of the usual form"),
        (
            {"a": 'import * as b from "./b.js";', "b": 'import * as a from "./a.js";'},
            "in a circle: a -> b -> a",
        ),
    ],
)
def test_what_cannot_be_joined_is_refused(modules, fault):
    with pytest.raises(ValueError, match=re.escape(fault)):
        joined(modules)


def test_no_module_ends_the_script():
    script = joined({"a": 'const a = "</script><!-- x";'})
    assert "</script" not in script and "<!--" not in script


def test_nothing_is_imported_from_elsewhere():
    script = joined({path.stem: path.read_text("utf-8") for path in HERE.glob("*.js")})
    assert not re.search(r"^\s*(import|export)\b", script, re.MULTILINE)
    assert not re.search(r"\b(fetch|XMLHttpRequest|WebSocket|importScripts|innerHTML)\b", script)
