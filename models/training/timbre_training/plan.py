"""How the minutes of a run are shared among its stages, kept in a file so that the run can be
stopped at any time and taken up again."""

import json
import os
import time
from contextlib import contextmanager


class Plan:
    """Stages in order with their weights. Each gets its weight's share of what is left when it
    begins, so that what one takes too long the others make up for.

    A stage that was done is skipped; with more minutes than before all of them go on.
    """

    def __init__(self, path, stages, minutes, asked):
        """`asked`: what a run of another kind would differ in, as plain values."""
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
        """Seconds."""
        return 60 * self.minutes - sum(self.used.values())

    @contextmanager
    def stage(self, name):
        """Gives the seconds that the stage has in all and those that are left of them, or None if
        it was done."""
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
