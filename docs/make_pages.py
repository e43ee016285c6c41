"""Write docs/models/: a page for each model of the library, from the model itself, with a figure.

    python docs/make_pages.py [--figures]

Pages are text and are written in a second; `--figures` solves the models and draws them anew, and draws
docs/literature-qualification.png.
"""

import sys
from pathlib import Path
from textwrap import fill

import numpy as np

from pkpd.literature import is_assumption
from pkpd.models.diagram import mermaid
from pkpd.models.illustration import ILLUSTRATIONS
from pkpd.models.library import MODELS, model
from pkpd.models.model import Model
from pkpd.population.virtual import literature_of, typical_values

FOLDER = Path(__file__).parent / "models"
COLOURS = ("#1b6ca8", "#c0512f", "#3b8c57", "#7a4fa3", "#946b14", "#4a4a4a")


def pages() -> dict[str, str]:
    """The text of each page by file name, the list of all included."""
    found = {f"{name}.md": page(name) for name in MODELS}
    rows = [f"| [{name}]({name}.md) | {model(name).title} | {_outputs(model(name))} |" for name in MODELS]
    head = [
        "# The model library",
        "",
        "Written by `docs/make_pages.py` from the models themselves; `pkpd models show NAME` prints the same.",
        "",
        "| model | what it describes | outputs |",
        "|---|---|---|",
    ]
    return found | {"README.md": "\n".join([*head, *rows]) + "\n"}


def page(name: str) -> str:
    """One model: diagram, equations, numbers with their sources, figure."""
    found, how = model(name), ILLUSTRATIONS[name]
    known = literature_of(found)
    text = [f"# {name}", "", f"{_sentence(found.title)}.", "", "```mermaid", mermaid(found), "```"]
    text += ["", "## Equations", "", "Time in h.", "", "```text", *found.equations, "```", "", "## Parameters", ""]
    text += ["| symbol | meaning | typical | unit | BSV CV | known to CV | status | grade | source |", "|" + "---|" * 9]
    for one in found.parameters:
        prior = known.get(one.symbol)
        if prior is None:
            text.append(f"| {one.symbol} | {one.meaning} | | {one.unit} | | | | | no literature value |")
            continue
        grade = f"**{prior.grade}, assumption**" if is_assumption(prior.status, prior.grade) else prior.grade
        bsv = "" if prior.bsv_cv is None else f"{100 * prior.bsv_cv:.0f} %"
        spread = f"{bsv} | {100 * prior.uncertainty_cv:.0f} %"
        numbers = f"{prior.typical:g} | {one.unit} | {spread} | {prior.status} | {grade} | {prior.source}"
        text.append(f"| {one.symbol} | {one.meaning} | {numbers} |")
    text += ["", "## Outputs", "", _outputs(found)]
    if found.references:
        text += ["", "## References", "", *(f"- {one}" for one in found.references)]
    text += ["", "## Figure", "", f"![{name} after one dose]({name}.png)", "", _caption(how.driver, bool(how.values))]
    return "\n".join(text) + "\n"


def _sentence(title: str) -> str:
    """With a capital, but for names such as mRNA."""
    return title if title[1:2].isupper() else title[0].upper() + title[1:]


def draw(name: str) -> None:
    """The outputs of one model after one dose, a panel each."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from pkpd.engine.simulate import simulate
    from pkpd.events.doses import Doses
    from pkpd.storage import write_atomically

    how, alone = ILLUSTRATIONS[name], model(name)
    whole = how.whole(name)
    values = typical_values(literature_of(whole)) | how.stated()
    route = whole.routes[0]
    into = [state.name for state in whole.states].index(route.into)

    def column(symbol: str | None, otherwise: float) -> np.ndarray:
        return np.full((1, 1), otherwise if symbol is None else values[symbol])

    # After a rest of 1/24 of the time, so that the figure shows where it starts from.
    end = _horizon(name)
    doses = Doses(
        np.full((1, 1), end / 24),
        np.full((1, 1), how.dose),
        column(route.duration, 0.0),
        column(route.lag, 0.0),
        column(route.bioavailability, 1.0),
        np.array([into]),
    )
    times = np.linspace(0.0, end, 601)
    one = {symbol: np.full(1, value) for symbol, value in values.items()}
    found = simulate(whole, one, doses, times)
    if found.failures:
        raise RuntimeError(f"{name}: {found.failures}")
    outputs = list(alone.outputs) or [name for name in whole.outputs if name == "il2"]
    units = whole.outputs
    columns = min(3, len(outputs))
    rows = -(-len(outputs) // columns)
    figure = Figure(figsize=(3.4 * columns, 2.3 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    grid = list(figure.subplots(rows, columns, squeeze=False).flat)
    for k, (axes, output) in enumerate(zip(grid, outputs, strict=False)):
        shift, per = times - end / 24, 24.0 if end > 200 else 1.0
        axes.plot(shift / per, found.values[output][:, 0], color=COLOURS[k % len(COLOURS)], linewidth=1.5)
        axes.set_xlabel("time after the dose (d)" if per > 1 else "time after the dose (h)", fontsize=8)
        axes.set_ylabel(fill(f"{output} ({units[output]})" if units[output] else output, 24), fontsize=8)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    for axes in grid[len(outputs) :]:
        axes.set_axis_off()
    write_atomically(FOLDER / f"{name}.png", lambda path: figure.savefig(path, dpi=80))


def draw_qualification() -> None:
    """Model beside observation for every fact that has a number: log ratio to the middle of what was observed."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from pkpd.qualify.literature import qualify_literature
    from pkpd.storage import write_atomically

    facts = [one for one in qualify_literature() if (one.observed.low or one.observed.high or 0) > 0 and one.model > 0]
    figure = Figure(figsize=(9.5, 0.26 * len(facts) + 1.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for k, one in enumerate(reversed(facts)):
        low, high = one.observed.low, one.observed.high
        middle = np.sqrt(low * high) if low and high else (low or high or np.nan)
        ends = [max((low or middle / 6) / middle, 1e-3), (high or 6 * middle) / middle]
        axes.plot(ends, [k, k], color="#b9c2cc", linewidth=5, solid_capstyle="butt")
        colour = "#3b8c57" if one.inside else "#c0512f"
        marker = "s" if one.used_for_calibration else "o"
        axes.plot(one.model / middle, k, marker, color=colour, markersize=5)
    axes.set_yticks(range(len(facts)), [_short(one.fact) for one in reversed(facts)], fontsize=6.5)
    axes.set_ylim(-1, len(facts))
    axes.set_xscale("log")
    axes.axvline(1.0, color="#9aa3ad", linewidth=0.7)
    axes.set_xlabel(
        "model / middle of what was observed (log).  Bar: observed range, open sides drawn to a factor of 6.\n"
        "Square: used for calibration; circle: not. Green: inside; red: outside.",
        fontsize=8,
    )
    axes.tick_params(axis="x", labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    write_atomically(FOLDER.parent / "literature-qualification.png", lambda path: figure.savefig(path, dpi=90))


def _short(text: str) -> str:
    return text if len(text) <= 72 else text[:70] + " .."


def _horizon(name: str) -> float:
    """How long the figure goes on [h]: drugs a day or two, cells weeks, transcripts longer."""
    if name.startswith(("mrna6231", "friberg")):
        return 24.0 * 28
    if name.startswith(("il2_sc", "il2_signal", "il2_receptor", "pk_", "effect_", "tolerance_moderator")):
        return 48.0
    return 24.0 * (7 if name.startswith(("tmdd", "indirect", "tolerance")) else 21)


def _outputs(found: Model) -> str:
    named = (f"`{name}` [{unit}]" if unit else f"`{name}`" for name, unit in found.outputs.items())
    return ", ".join(named) or "none of its own"


def _caption(driver: str | None, illustrative: bool) -> str:
    driven = f", driven by [{driver}]({driver}.md)" if driver else ""
    numbers = "numbers of no drug, chosen to show the form" if illustrative else "typical values"
    return f"One dose{driven}; {numbers}."


def main() -> None:
    """Write the pages, and the figures where asked for."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    if "--figures" in sys.argv[1:]:
        for name in MODELS:
            draw(name)
            print(name, flush=True)
        draw_qualification()
    print(f"{len(MODELS)} pages in {FOLDER}")


if __name__ == "__main__":
    main()
