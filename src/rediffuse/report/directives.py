"""What the directives of chapters and weekly reports name (`papers/directives.py`), in their places, as Markdown."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rediffuse.errors import UserError
from rediffuse.files import read_json
from rediffuse.papers import ledger, tables
from rediffuse.papers.directives import Directive, Found, lines
from rediffuse.papers.makes import MAKES
from rediffuse.paths import Layout
from rediffuse.report import links, words

MADE_BY = "snakemake --cores all"
WORDS = {
    "en": {
        "absent": "(not measured by this preset)",
        "function": "function",
        "test": "checked by",
        "passed": "passed",
        "failed": "failed",
        "measured": "Measured here",
        "verdict": "Verdict",
    },
    "zh": {
        "absent": "（此预设未测量）",
        "function": "函数",
        "test": "由测试检验",
        "passed": "通过",
        "failed": "未通过",
        "measured": "本次测得",
        "verdict": "结论",
    },
}


def expand(text: str, source: Path, layout: Layout, language: str, place: Callable[[Path], str], absent: bool) -> str:
    """A text with what its directives name in their places, as Markdown.

    source: the file of which errors tell. language: "en" or "zh".
    place: a file of the results -> what a link or a picture shall name; "" for no link.
    absent: whether what the preset does not measure is said to be absent; else it is an error.
    Raises UserError, with file and line, for a malformed directive and for one that names what is not there.
    """
    shown = Shown(layout, language, place, absent)
    return "\n".join(_expanded(line, found, shown) for line, found in lines(text, source)) + "\n"


def _expanded(line: str, found: list[Found], shown: "Shown") -> str:
    for directive, match in reversed(found):
        text = shown.show(directive)
        if directive.kind != "metric":  # a block of its own, in the list item that it is in
            indent = line[: match.start()]
            return "\n" + "\n".join(f"{indent}{each}" if each else "" for each in text.splitlines()) + "\n"
        line = line[: match.start()] + text + line[match.end() :]
    return line


@dataclass(frozen=True)
class Shown:
    """What the pipeline made, as Markdown."""

    layout: Layout
    language: str
    place: Callable[[Path], str]
    absent: bool

    def show(self, directive: Directive) -> str:
        kinds = {"figure": self._figure, "table": self._table, "claim": self._claim, "metric": self._metric, "equation": self._equation}
        return kinds[directive.kind](directive)

    @property
    def _words(self) -> dict[str, str]:
        return WORDS[self.language]

    @cached_property
    def _metrics(self) -> dict[str, Any]:
        return read_json(self.layout.results / "metrics.json", MADE_BY)

    def _figure(self, at: Directive) -> str:
        if not self._asked(at, "figure", [name for name, makes in MAKES[at.paper].items() if makes.drawn]):
            return self._none(at)
        names = [f"{at.name}.zh.png"] * (self.language == "zh") + [f"{at.name}.png"]
        drawn = [self.layout.artifact(at.paper, name) for name in names]
        picture = next((path for path in drawn if path.is_file()), None)
        if picture is None:
            raise UserError(f"{at.where}: {drawn[-1]}: not found; expected it made: {MADE_BY}")
        caption = at.words or self._called(at.paper, at.name)
        return f"![{_escaped(caption)}]({self.place(picture)}){{.figure}}"

    def _table(self, at: Directive) -> str:
        if not self._asked(at, "table", [name for name, makes in MAKES[at.paper].items() if makes.is_table]):
            return self._none(at)
        path = self.layout.artifact(at.paper, f"{at.name}.md")
        if not path.is_file():
            raise UserError(f"{at.where}: {path}: not found; expected it made: {MADE_BY}")
        title, _, rest = path.read_text(encoding="utf-8").partition("\n")
        return f"**{at.words or title.lstrip('# ')}**\n{rest}"

    def _claim(self, at: Directive) -> str:
        known = tables.published(at.paper, "claims").set_index("id")
        if at.name not in known.index:
            raise UserError(f"{at.where}: not found; expected one of {', '.join(known.index)}")
        path = self.layout.artifact(at.paper, "claims.csv")
        if at.paper not in self.layout.papers:
            return self._none(at)
        (row,) = (row for row in tables.read(path, MADE_BY).to_dict("records") if row["id"] == at.name)
        stop = "。" if self.language == "zh" else "."
        sentence, verdict = words.claim(at.paper, at.name, row["claim"]), words.say(row["verdict"])
        lines = [f"**{self._in(sentence)}** ({row['source']})"]
        lines += [f"{self._words['measured']}: {row['measured']}{stop}"] * bool(row["measured"])
        lines += [f"{self._words['verdict']}: **{self._in(verdict)}**" + (f" ({row['why']})" if row["why"] else "") + stop]
        return f"::: {{.claim .verdict-{row['verdict'].replace(' ', '-')}}}\n" + "\n\n".join(map(_plain, lines)) + "\n:::"

    def _metric(self, at: Directive) -> str:
        known = [name for name in MAKES[at.paper] if name in self._metrics.get(at.paper, {})]
        if at.name not in MAKES[at.paper] or (at.name not in known and not self.absent):
            raise UserError(f"{at.where}: not found; expected one of {', '.join(known)}")
        keys = self._metrics.get(at.paper, {}).get(at.name, {})
        asked = at.words.split(", ")
        found = [key for key in keys if all(any(part in (each, each.partition("=")[2]) for each in key.split(", ")) for part in asked)]
        found = [key for key in found if len(key.split(", ")) == len(asked)] or found
        if len(found) != 1:
            if self.absent and not found:
                return self._words["absent"]
            which = f"{len(found)} values, {'; '.join(found[:3])}" if found else f"no value of {'; '.join(list(keys)[:3])}, ..."
            raise UserError(f"{at.where} | {at.words}: found {which}; expected the parts of one key of metrics.json")
        return f"{keys[found[0]]:.4g}"

    def _equation(self, at: Directive) -> str:
        try:
            equation = ledger.find(at.paper, at.name)
        except UserError as error:
            raise UserError(f"{at.source}:{at.line}: {error}") from None
        say, report = self._words, self.layout.results / "report"
        code = _link(f"`{equation.function}`", self.place(report / links.code(equation.function)))
        tests = ", ".join(_link(f"`{test.partition('::')[2]}`", self.place(report / links.test(test))) for test in equation.tests)
        passed = self._passed.get((at.paper, at.name))
        state = "" if passed is None else f" ({say['passed' if passed else 'failed']})"
        meaning = equation.meaning_zh if self.language == "zh" else equation.meaning
        number = f"({equation.number})" if equation.number[0].isdigit() else equation.number
        below = f"**{self._in(words.NAMES[at.paper])}, {number}** {meaning} {say['function']}: {code}; {say['test']}: {tests}{state}."
        return f"::: {{.equation}}\n$$\n{equation.formula}\n$$\n\n{below}\n:::"

    @cached_property
    def _passed(self) -> dict[tuple[str, str], bool]:
        return ledger.passed(self.layout.results / "equations.csv")

    def _asked(self, at: Directive, kind: str, known: list[str]) -> bool:
        """Whether the preset makes it."""
        if at.name not in known:
            raise UserError(f"{at.where}: not found; expected one of {', '.join(known)}")
        if at.paper in self.layout.papers and self.layout.asks(at.paper, at.name):
            return True
        if not self.absent:
            raise UserError(f"{at.where}: not found; expected a {kind} that the preset {self.layout.name} makes")
        return False

    def _none(self, at: Directive) -> str:
        return f"*{self._called(at.paper, at.name)}: {self._words['absent']}*"

    def _called(self, paper: str, name: str) -> str:
        """Figure 5 of a paper; or the title of one of our own."""
        title = tables.published(paper, "artifacts").set_index("artifact")["title"].get(name, name)
        return f"{self._in(words.NAMES[paper])}, {self._in(words.called(name) or words.title(paper, name, str(title)))}"

    def _in(self, both: words.Both) -> str:
        return both.zh if self.language == "zh" else both.en


def _link(text: str, target: str) -> str:
    return f"[{text}]({target})" if target else text


def _escaped(caption: str) -> str:
    return caption.replace("[", "\\[").replace("]", "\\]")


def _plain(line: str) -> str:
    """Measured and generated text is no Markdown of its own: its special signs are escaped, bold aside."""
    return re.sub(r"(?<!\*)([|_~^<>\[\]])", r"\\\1", line)
