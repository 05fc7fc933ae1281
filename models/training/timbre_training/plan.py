"""Divides the minutes of a run among its stages. The plan is stored in a file, so that the run can
be stopped at any time and continued."""

import json
import os
import time
from contextlib import contextmanager


class Plan:
    """Stages in order with their weights. When a stage begins it gets the share of its weight in
    the remaining time, so that later stages make up for one that took too long.

    A finished stage is skipped, but with more minutes than before all of them continue.
    """

    def __init__(self, path, stages, minutes, asked):
        """`asked`: plain values that identify the kind of the run; a run with others is refused."""
        self.path, self.stages, self.minutes = path, stages, minutes
        self.asked, self.used, self.given, self.done = asked, {}, {}, []
        if path.exists():
            saved = json.loads(path.read_text())
            if saved["asked"] != asked:
                raise SystemExit(
                    f"{path.parent}: was begun with {words(saved['asked'])}, and now "
                    f"{words(asked)} is asked for; remove that folder to begin anew"
                )
            self.used = saved["used"]
            if minutes <= saved["minutes"]:
                self.minutes, self.given, self.done = (
                    saved[name] for name in ("minutes", "given", "done")
                )

    def left(self):
        """The remaining time, seconds."""
        return 60 * self.minutes - sum(self.used.values())

    @contextmanager
    def stage(self, name):
        """Yields the seconds that the stage has in all and those that remain, or None if it is
        done."""
        if name in self.done:
            yield None
            return
        before = self.used.get(name, 0.0)
        if name not in self.given:
            weights = {n: w for n, w in self.stages.items() if n not in self.done}
            share = weights[name] / sum(weights.values())
            self.given[name] = before + max(0.0, self.left()) * share
        number = list(self.stages).index(name) + 1
        print(
            f"\ntrain: stage {number} of {len(self.stages)}, {name}: about "
            f"{max(0.0, self.given[name] - before) / 60:.1f} min; "
            f"{max(0.0, self.left()) / 60:.1f} of {self.minutes:g} min left in all",
            flush=True,
        )
        start = time.time()
        try:
            yield self.given[name], max(0.0, self.given[name] - before)
            self.done.append(name)
        finally:
            self.used[name] = before + time.time() - start
            self.save()

    def save(self):
        part = self.path.with_suffix(".part")
        names = ("asked", "minutes", "used", "given", "done")
        part.write_text(json.dumps({name: getattr(self, name) for name in names}, indent=1))
        os.replace(part, self.path)


def words(asked):
    return ", ".join(f"{name} {value}" for name, value in asked.items())
