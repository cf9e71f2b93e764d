"""What a weekly report says that nobody typed: its head, and its progress, in the report's language."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal

from rediffuse.paths import Layout
from rediffuse.report import words as catalogue
from rediffuse.report.pandoc import TITLES
from rediffuse.report.weekly.beside import escaped
from rediffuse.report.weekly.progress import Change, Changes, Progress, State
from rediffuse.weeklies import Weekly

MOST = 10
"""Lines of a list; the rest is counted."""
WORDS = {
    "en": {
        "title": "Weekly report, {} to {}",
        "period": "{} to {}",
        "draft": "Draft: written from the pipeline's results. What the researcher found is left open.",
        "progress": "Progress since the last report",
        "computed": "Computed from git and the run's files, preset {}: nothing here was typed.",
        "first": "This report is the first: there is none to compare with.",
        "no git": "This folder is no git checkout: what changed since the last report cannot be told.",
        "shallow": "The history of this clone does not reach the last report: what changed cannot be told (git fetch --unshallow).",
        "state": "The run has {} numbers, {} claims ({}), and {} trainings and samplings that took {}.",
        "between": "From commit {} to {}.",
        "nothing": "The baseline has no recorded results of this preset: all is new.",
        "metrics": "Numbers",
        "claims": "Claims",
        "params": "Options",
        "commits": "Commits",
        "head": "| {} | then | now |",
        "by": " change |",
        "none": "{}: none changed.",
        "came": "{} new: {}",
        "went": "{} gone: {}",
        "more": "... and {} more",
        "runs": "{} trainings and samplings were made since; they took {}.",
        "no runs": "No training or sampling was made since.",
        "sep": ", ",
        "space": " ",
        "minutes": "{:.0f} min",
        "seconds": "{:.0f} s",
    },
    "zh": {
        "title": "周报：{} 至 {}",
        "period": "{} 至 {}",
        "draft": "草稿：根据流水线的结果起草，研究者自己的发现留待填写。",
        "progress": "自上次报告以来的进展",
        "computed": "由 git 和本次运行的文件计算得出（预设 {}），没有一处是手写的。",
        "first": "这是第一份报告，没有可以比较的上一份。",
        "no git": "此文件夹不在 git 之下，无法得知自上次报告以来的变化。",
        "shallow": "此克隆的历史不包含上次报告，无法得知变化（git fetch --unshallow）。",
        "state": "目前的运行有 {} 个数值、{} 条论断（{}），{} 次训练和采样，共用 {}。",
        "between": "从提交 {} 到 {}。",
        "nothing": "基线处没有此预设的结果记录，因此一切都是新的。",
        "metrics": "数值",
        "claims": "论断",
        "params": "选项",
        "commits": "提交",
        "head": "| {} | 之前 | 现在 |",
        "by": " 变化 |",
        "none": "{}：没有变化。",
        "came": "新增 {} 个：{}",
        "went": "消失 {} 个：{}",
        "more": "……以及另外 {} 个",
        "runs": "此后进行了 {} 次训练和采样，共用 {}。",
        "no runs": "此后没有进行训练或采样。",
        "sep": "、",
        "space": "",
        "minutes": "{:.0f} 分钟",
        "seconds": "{:.0f} 秒",
    },
}


def title(weekly: Weekly, language: str) -> str:
    return WORDS[language]["title"].format(weekly.front.since, weekly.front.to)


def whole(weekly: Weekly, head: str, body: str, told: str, cites: bool, asides: str) -> str:
    """The report as one Markdown: its text, with references below if it cites, and beside it what was read."""
    words = WORDS[weekly.front.language]
    lines = ["::::: {.weekly-text}", head, "", f"*{words['period'].format(weekly.front.since, weekly.front.to)}*", ""]
    lines += [f"::: {{.draft}}\n{words['draft']}\n:::\n"] * (weekly.front.status == "draft")
    lines += [body, told, ""]
    lines += [f"## {TITLES[weekly.front.language]}", "", "::: {#refs}", ":::"] * cites + [":::::", ""]
    return "\n".join(lines) + (f"\n::::: {{.weekly-beside}}\n{asides}\n:::::\n" if asides else "")


def section(layout: Layout, found: Progress | Literal["first", "no git", "shallow"], now: State, language: str) -> str:
    """The progress since the last report, as a section of Markdown."""
    words = WORDS[language]
    lines = [f"## {words['progress']}", "", f"*{words['computed'].format(layout.name)}*", ""]
    if not isinstance(found, Progress):
        return "\n".join([*lines, words[found], "", _state(now, language), ""])
    lines += [words["between"].format(f"`{found.since}`", f"`{found.until}`") + words["space"] + _ran(found, language), ""]
    if not found.then.metrics:
        lines += [words["nothing"], "", _state(found.now, language), ""]
    else:
        lines += _changes("metrics", found.metrics, language)
        lines += _changes("claims", found.claims, language)
    if found.then.params:
        lines += _changes("params", found.params, language)
    lines += [f"### {words['commits']} ({len(found.commits)})", ""]
    return "\n".join([*lines, *_cut([f"- `{each.name}` {each.day} {escaped(each.subject)}" for each in found.commits], language), ""])


def _state(now: State, language: str) -> str:
    words = WORDS[language]
    counts = Counter(now.claims.values())
    verdicts = words["sep"].join(f"{counts[verdict]} {_verdict(verdict, language)}" for verdict in ("held", "not held", "not tested"))
    seconds = sum(about["seconds"] for about in now.runs.values())
    return words["state"].format(len(now.metrics), len(now.claims), verdicts, len(now.runs), _time(seconds, language))


def _ran(found: Progress, language: str) -> str:
    words = WORDS[language]
    return words["runs"].format(len(found.runs), _time(sum(found.runs.values()), language)) if found.runs else words["no runs"]


def _time(seconds: float, language: str) -> str:
    return WORDS[language]["minutes"].format(seconds / 60) if seconds >= 120 else WORDS[language]["seconds"].format(seconds)


def _changes(what: str, changes: Changes, language: str) -> list[str]:
    """The changed ones as a table, the new and the gone by what they belong to."""
    words = WORDS[language]
    if not (changes.changed or changes.new or changes.gone):
        return [words["none"].format(words[what]), ""]
    lines = [f"### {words[what]}", ""]
    if changes.changed:
        numbers = any(change.size < float("inf") for change in changes.changed)
        rows = [_row(change, numbers, language) for change in changes.changed]
        lines += [words["head"].format(words[what]) + words["by"] * numbers, "|---|---|---|" + "---|" * numbers, *rows[:MOST], ""]
        lines += [words["more"].format(len(rows) - MOST), ""] * (len(rows) > MOST)
    for word, keys in (("came", changes.new), ("went", changes.gone)):
        if keys:
            groups = Counter(key.partition(": ")[0] if what == "metrics" else key for key in keys)
            named = [f"{escaped(key)} ({count})" if count > 1 else escaped(key) for key, count in groups.items()]
            rest = [words["more"].format(len(named) - MOST)] * (len(named) > MOST)
            lines += [words[word].format(len(keys), words["sep"].join([*named[:MOST], *rest])), ""]
    return lines


def _row(change: Change, numbers: bool, language: str) -> str:
    """A line of the table; numbers: whether it says by how much numbers changed."""
    percent = 100 * (change.now - change.then) / abs(change.then) if change.size < float("inf") else 0.0
    by = f" {percent:{'+,.0f' if abs(percent) >= 9.5 else '+.2g'}}% |" if percent else " |"
    return f"| {escaped(change.key)} | {_value(change.then, language)} | {_value(change.now, language)} |" + by * numbers


def _value(value: Any, language: str) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return escaped(_verdict(str(value), language))


def _verdict(verdict: str, language: str) -> str:
    return catalogue.interface().get(verdict, verdict) if language == "zh" else verdict


def _cut(lines: Sequence[str], language: str) -> list[str]:
    more = [f"- {WORDS[language]['more'].format(len(lines) - MOST)}"] * (len(lines) > MOST)
    return [*lines[:MOST], *more]
