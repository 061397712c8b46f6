"""Blocks as a LaTeX document that pdflatex, xelatex and lualatex set, whatever the names hold."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from tabular_rl.report.blocks import Block, Grid, Heading, Lines, Prose, Report, Table, Typed

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "'": r"\textquotesingle{}", "`": r"\textasciigrave{}", "-": "{-}",
    "[": "{[}", "]": "{]}",
}  # fmt: skip
SIGNS = {
    "γ": r"\gamma", "α": r"\alpha", "β": r"\beta", "δ": r"\delta", "ε": r"\varepsilon", "λ": r"\lambda", "π": r"\pi",
    "ρ": r"\rho", "θ": r"\theta", "Σ": r"\sum", "Π": r"\prod", "∂": r"\partial", "·": r"\cdot", "←": r"\leftarrow",
    "→": r"\to", "≈": r"\approx", "≤": r"\le", "≥": r"\ge", "∞": r"\infty", "|": r"\mid", "%": r"\%", "#": r"\#",
    "&": r"\&", "$": r"\$", "\\": r"\backslash", "~": r"\sim", "±": r"\pm", "≠": r"\ne", "−": "-",
}  # fmt: skip
FUNCTIONS = ("max", "min", "log", "exp")
TOKEN = re.compile(
    r"(?P<fraction>(?<![\w.])[0-9]+/[0-9]+(?![\w.]))"
    r"|(?P<script>[_^](?:\{[^{}]*\}|[A-Za-z0-9γ]'*))"
    r"|(?P<star>(?<=[vq])\*)"
    r"|(?P<word>[A-Za-z]{2,})"
    r"|(?P<wide>   +)"
    r"|(?P<sign>[^A-Za-z0-9 ])"
)
KNOWN = re.compile("[\u0020-\u007e\u00a1-\u00ff\u0100-\u017f]")  # what the fonts of pdflatex have
PREAMBLE = r"""\documentclass[11pt,a4paper]{article}
\usepackage{iftex}
\ifpdftex
  \usepackage[T1]{fontenc}
  \usepackage[utf8]{inputenc}
%s\else
  \usepackage{fontspec}
\fi
\usepackage{textcomp,amsmath}
\usepackage[margin=25mm]{geometry}
\setlength{\parindent}{0pt}
\setlength{\parskip}{1ex}
\begin{document}
"""


def report_parts(report: Report) -> Iterator[str]:
    """Yield a report as a LaTeX document."""
    yield latex(report.blocks())


def latex(blocks: Iterable[Block]) -> str:
    """Return blocks as a document.

    Signs of names that pdflatex has no font for are set as their numbers; xelatex and lualatex set what their font has.
    """
    body = "\n\n".join(filter(None, map(_block, blocks)))
    strange = sorted({c for c in body if not KNOWN.match(c) and c != "\n"})
    numbers = "".join(
        f"  \\DeclareUnicodeCharacter{{{ord(c):04X}}}{{\\texttt{{[U+{ord(c):04X}]}}}}\n" for c in strange
    )
    return PREAMBLE % numbers + body + "\n\\end{document}\n"


def escaped(text: str) -> str:
    """Return a text in which no sign means anything to LaTeX; Greek letters and the like are set as mathematics.

    >>> escaped("50% of γ_1")
    '50\\\\% of $\\\\gamma$\\\\_1'
    """
    return "".join(SPECIAL.get(c) or (f"${SIGNS[c]}$" if c in SIGNS else c) for c in text)


def maths(text: str) -> str:
    """Return a formula in the signs of the docstrings as LaTeX writes it.

    >>> maths("V_{k+1}(s) = max_a Σ_s' p(s'|s,a) [1/2 + γ V_k(s')]")
    "V_{k+1}(s) = \\\\max_{a} \\\\sum _{s'} p(s'\\\\mid s,a) [\\\\tfrac{1}{2} + \\\\gamma  V_{k}(s')]"
    """
    return TOKEN.sub(_token, text)


def _token(found: re.Match[str]) -> str:
    kind, token = found.lastgroup, found[0]
    if kind == "fraction":
        above, below = token.split("/")
        return rf"\tfrac{{{above}}}{{{below}}}"
    if kind == "script":
        return f"{token[0]}{{{maths(token[1:].removeprefix('{').removesuffix('}'))}}}"
    if kind == "star":
        return "^{*}"
    if kind == "word":
        return (
            f"\\{token}"
            if token in FUNCTIONS
            else rf"\text{{ {token} }}"
            if token == "for"
            else rf"\text{{{token}}}"
        )
    if kind == "wide":
        return r" \quad "
    return SIGNS[token] + " " if token in SIGNS else token


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"\\{'subsection' if block.part else 'section'}*{{{escaped(block.text)}}}"
    if isinstance(block, Prose):
        return rf"\hspace*{{2em}}{_prose(block)}\par" if block.display else _prose(block)
    if isinstance(block, Lines):
        return "\\\\\n".join(map(escaped, block.lines))
    if isinstance(block, Typed):
        return _typed(block.lines)
    if isinstance(block, Table):
        return _table(block)
    return _typed(["  ".join(row) for row in block.cells]) if isinstance(block, Grid) else ""


def _prose(block: Prose) -> str:
    """A paragraph; formulas stand between two $, and names in them are words."""
    parts: list[str] = []
    open_formula = False
    for span in block.line:
        if span.maths != open_formula:
            parts.append("$")
            open_formula = span.maths
        if span.name:
            parts.append(
                rf"\text{{{escaped(span.text)}}}" if span.maths else rf"\textit{{{escaped(span.text)}}}"
            )
        else:
            parts.append(maths(span.text) if span.maths else escaped(span.text))
    return "".join(parts) + "$" * open_formula


def _typed(lines: Iterable[str]) -> str:
    """Lines as they stand, in the letters of a typewriter."""
    rows = (escaped(line).replace(" ", r"\ ") for line in lines)
    return "{\\ttfamily\n" + "\\\\\n".join(rows) + "\\par}"


def _table(block: Table) -> str:
    left = block.left.split(",")
    form = "".join("l" if header in left else "r" for header in block.headers)
    rows = [
        " & ".join(f"{{}}{escaped(cell)}" for cell in row) + r" \\" for row in (block.headers, *block.rows)
    ]
    table = "\n".join([rf"\begin{{tabular}}{{{form}}}", rows[0], r"\hline", *rows[1:], r"\end{tabular}"])
    around = ["\\\\\n".join(map(escaped, part)) for part in (block.above, block.below)]
    return "\n\n".join(filter(None, (around[0], table, around[1])))
