"""Kill the smoke preset again and again, in every kind of work and in DVC's steps, and see that the same commands end in the same bits;
then clone what was recorded and see that a clone with a pull has nothing to do.

    python tests/soak.py --kills 50 --clones 20 --out docs/reliability.md

It works in a temporary folder, on a copy of this repository's tracked and new files.
"""

import argparse
import datetime
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pipeline
from test_kills import at_work, digests

from rediffuse.provenance import commit

ROUND = ["prepare", "prepare", "train", "train", "train", "sample", "sample", "measure", "measure"]
"""The kinds of work in which a round's kills come, in the order in which the pipeline does them."""
STEPS = ["commit", "push", "pull"]
KILLS = {"the whole process group": os.killpg, "Snakemake alone": os.kill}
RUN = ["snakemake", "--cores", "2", "--config", "preset=smoke"]


def say(line: str) -> None:
    print(f"{datetime.datetime.now():%H:%M:%S} {line}", flush=True)


class Soak:
    """What was done so far, and how it ended."""

    def __init__(self, folder: Path, seed: int):
        self.folder, self.random = folder, random.Random(seed)
        self.kills: Counter[tuple[str, str]] = Counter()
        self.rounds, self.failures = 0, list[str]()
        self.pulled_twice = 0
        self.made = pipeline.sources(folder / "undisturbed")
        say("undisturbed run")
        pipeline.snakemake(self.made)
        self.expected = digests(self.made)

    @property
    def done(self) -> int:
        return self.kills.total()

    def fail(self, what: str) -> None:
        say(f"FAILED: {what}")
        self.failures.append(what)

    def check(self, folder: Path, what: str) -> None:
        found = digests(folder)
        differ = sorted(name for name in found.keys() | self.expected.keys() if found.get(name) != self.expected.get(name))
        if differ:
            self.fail(f"{what}: {', '.join(differ[:5])} differ, or are not there")
        if litter := [path for path in folder.rglob("*.part") if ".snakemake" not in path.parts]:
            self.fail(f"{what}: {len(litter)} half-written files are left")

    def kill_work(self, folder: Path, verb: str) -> bool:
        """Start the pipeline, and kill it when it has been at such work for a random while; False if there was none to do any more."""
        how, kill = self.random.choice(list(KILLS.items()))
        process = pipeline.begin(folder, *RUN)
        while process.poll() is None and verb not in at_work(process.pid).values():
            time.sleep(0.02)
        time.sleep(self.random.uniform(0, 4))
        if process.poll() is not None:
            return False
        kill(process.pid, signal.SIGKILL)
        process.wait()
        self.kills[verb, how] += 1
        say(f"kill {self.done}: {verb}, {how}")
        return True

    def kill_dvc(self, folder: Path, step: str, *command: str) -> None:
        """Kill a step of DVC at a random moment, and take it again."""
        process = pipeline.begin(folder, *command)
        time.sleep(self.random.uniform(0.2, 3))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            self.kills[f"dvc {step}", "the whole process group"] += 1
            say(f"kill {self.done}: dvc {step}")
        process.wait()
        pipeline.run(folder, "python", "-m", "rediffuse.pipeline.mend")  # as `make record`, `make push` and `make pull` do
        if step == "pull":
            # Of a folder whose list a killed pull has fetched DVC fetches no files, and fails; it forgets that, and the next one does.
            done = subprocess.run(command, cwd=folder, env=pipeline.environment(folder), capture_output=True, check=False)
            self.pulled_twice += done.returncode != 0
            say(f"pull after a kill: {'failed, and is taken again' if done.returncode else 'whole'}")
        self.again(folder, f"dvc {step}", *command)

    def again(self, folder: Path, what: str, *command: str) -> None:
        try:
            pipeline.run(folder, *command)
        except AssertionError as error:
            self.fail(f"{what}: {' '.join(str(error).split())[-400:]}")

    def round(self, kills: int) -> None:
        """A run from nothing, killed at most so often, to its end; then its record for DVC, killed in each step."""
        self.rounds += 1
        until = self.done + kills
        folder = pipeline.sources(self.folder / f"round-{self.rounds}")
        for verb in ROUND:
            if self.done < until:
                self.kill_work(folder, verb)
        say(f"round {self.rounds}: to the end")
        self.again(folder, f"round {self.rounds}", *RUN)
        self.check(folder, f"round {self.rounds}")
        stages = pipeline.run(folder, "rediffuse", "record", "--preset", "smoke").split()
        pipeline.run(folder, "dvc", "remote", "add", "--quiet", "--default", "store", str(self.folder / f"store-{self.rounds}"))
        record = f"dvc --wait-for-lock commit --force --quiet --no-relink {' '.join(stages)}"
        clone = self.folder / f"clone-{self.rounds}"
        commands = {
            "commit": (folder, record),
            "push": (folder, "dvc --wait-for-lock push --quiet"),
            "pull": (clone, "dvc --wait-for-lock pull --quiet"),
        }
        for step in STEPS:
            where, command = commands[step]
            if step == "pull":
                pipeline.commit(folder, "recorded")
                pipeline.git(self.folder, "clone", "--quiet", str(folder), str(clone))
            if self.done < until:
                self.kill_dvc(where, step, *command.split())
            else:
                self.again(where, f"dvc {step}", *command.split())
        self.check(clone, f"the clone of round {self.rounds}")

    def clones(self, n: int) -> int:
        """How many of n clones with a pull have nothing to do."""
        pipeline.record(self.made)
        pipeline.run(self.made, "dvc", "remote", "add", "--quiet", "--default", "store", str(self.folder / "store"))
        pipeline.commit(self.made, "recorded")
        pipeline.run(self.made, "dvc", "push", "--quiet")
        good = 0
        for k in range(n):
            clone = self.folder / f"pulled-{k}"
            pipeline.git(self.folder, "clone", "--quiet", str(self.made), str(clone))
            pipeline.run(clone, "dvc", "pull", "--quiet")
            done = subprocess.run(RUN, cwd=clone, env=pipeline.environment(clone), capture_output=True, text=True, check=False)
            nothing = done.returncode == 0 and "Nothing to be done" in done.stdout + done.stderr
            good += nothing
            say(f"clone {k + 1} of {n}: {'nothing to be done' if nothing else 'something to do'}")
            if not nothing:
                self.fail(f"clone {k + 1}: something to do")
        return good

    def table(self, clones: int, good: int, command: str, began: float) -> str:
        cores = len(os.sched_getaffinity(0))
        lines = ["| killed while at | how | kills |", "|---|---|---|"]
        lines += [f"| {verb} | {how} | {n} |" for (verb, how), n in sorted(self.kills.items())]
        lines += ["", f"{self.done} kills by SIGKILL in {self.rounds} runs from nothing, each taken up by the same command."]
        ends = "differ (below)" if self.failures else "are bit for bit those of a run that nobody disturbed"
        lines += [f"Weights, samples, measurements and metrics.json of every run {ends}.", ""]
        pulls = sum(n for (verb, _), n in self.kills.items() if verb == "dvc pull")
        lines += [f"After {self.pulled_twice} of {pulls} killed pulls DVC's next one failed, and the one after that was whole.", ""]
        lines += [f'Clones with `dvc pull` in which `snakemake` says "Nothing to be done": {good} of {clones}.', ""]
        lines += [f"- failed: {failure}" for failure in self.failures]
        about = f"{platform.machine()}, {cores} cores, Python {platform.python_version()}"
        lines += [f"`{command}`, {datetime.date.today()}, commit {commit()}, {about}, {(time.monotonic() - began) / 60:.0f} minutes."]
        return "\n".join(lines) + "\n"


def main() -> int:
    """0 if nothing differed and no clone had anything to do."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--clones", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--out", type=Path, help="a Markdown file for the results")
    asked, began = parser.parse_args(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="rediffuse-soak-") as name:
        soak = Soak(Path(name), asked.seed)
        while soak.done < asked.kills and not soak.failures:
            soak.round(min(asked.kills - soak.done, len(ROUND) + len(STEPS)))
        good = soak.clones(asked.clones) if asked.clones else 0
        command = f"python tests/soak.py --kills {asked.kills} --clones {asked.clones} --seed {asked.seed}"
        text = soak.table(asked.clones, good, command, began)
    print(text)
    if asked.out:
        asked.out.write_text(f"# Kills and clones\n\n{text}", encoding="utf-8")
    return int(bool(soak.failures))


if __name__ == "__main__":
    sys.exit(main())
