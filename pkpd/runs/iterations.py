"""iterations.csv: every step of every start, written as it comes; each once, also where a run was resumed."""

from pkpd.fit.estimator import Progress
from pkpd.runs.folder import Folder

NAME = "iterations.csv"


class Iterations:
    """The file in `folder`. `names`: of the elements of x, on the scale on which they are estimated."""

    def __init__(self, folder: Folder, names: tuple[str, ...]) -> None:
        self.path = folder.path / NAME
        text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        # A run that was killed may have left a part of a line.
        lines = text[: text.rfind("\n") + 1].splitlines()
        lines = lines or [",".join(["start", "step", "ofv", "gradient", *names])]
        folder.text(NAME, "\n".join(lines) + "\n")
        self.known = {tuple(line.split(",")[:2]) for line in lines}

    def add(self, start: int, progress: Progress) -> bool:
        """Write a step; False where it was known from before."""
        place = (str(start), str(progress.step))
        if place in self.known:
            return False
        self.known.add(place)
        numbers = (progress.value, progress.gradient, *progress.x.tolist())
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(",".join([*place, *(f"{one:.10g}" for one in numbers)]) + "\n")
        return True
