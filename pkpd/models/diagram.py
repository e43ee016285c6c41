"""How the parts of a model hang together, read off the model: where doses enter, what flows, what drives what."""

from dataclasses import dataclass
from types import SimpleNamespace

from pkpd.models.model import OUT, Model


@dataclass(frozen=True)
class Edge:
    """One arrow. `kind`: dose, flow, reads (an output of compartments), drives (an output into a state), derives, or
    acts (a state back on a compartment)."""

    kind: str
    source: str
    target: str
    label: str = ""


def edges(model: Model) -> tuple[Edge, ...]:
    """All arrows of `model`, doses first."""
    ones = SimpleNamespace(**dict.fromkeys(model.symbols, 1.0))
    found = [Edge("dose", one.name, one.into, _on_the_way(one)) for one in model.routes]
    if model.linear is not None:
        found += [Edge("flow", source, target) for source, target in model.linear.rates(ones)]
        for readout in model.linear.readouts:
            found += [Edge("reads", state, readout.name) for state in readout.weights(ones)]
    for response in model.responses:
        for source in response.inputs:
            found += [Edge("drives", source, state) for state in response.names]
        if response.flows is not None:
            inputs = SimpleNamespace(**dict.fromkeys((*response.inputs, *model.outputs), 1.0))
            states = SimpleNamespace(**dict.fromkeys(response.names, 1.0))
            into = response.flows(states, inputs, ones)
            found += [Edge("acts", one, place) for one in response.names or response.inputs for place in into]
    for one in model.derived:
        found += [Edge("derives", source, one.name) for source in one.inputs]
    return tuple(found)


def lines(model: Model) -> tuple[str, ...]:
    """The diagram as text: chains of arrows, `<->` where there is one either way."""
    every = edges(model)
    found = [_line("dose", [f"{one.source}{one.label} -> {one.target}"]) for one in every if one.kind == "dose"]
    pairs = [(one.source, one.target) for one in every if one.kind == "flow"]
    one_way = [(a, b) for a, b in pairs if (b, a) not in pairs]
    found += [_line("flow", chain) for chain in _chains(one_way)]
    both = [(a, b) for k, (a, b) in enumerate(pairs) if (b, a) in pairs[k:]]
    found += [_line("flow", [f"{a} <-> {b}"]) for a, b in both]
    for kind in ("reads", "drives", "derives", "acts"):
        targets: dict[str, list[str]] = {}
        for one in every:
            if one.kind == kind:
                targets.setdefault(one.target, []).append(one.source)
        merged: dict[tuple[str, ...], list[str]] = {}
        for target, sources in targets.items():
            merged.setdefault((*sources,), []).append(target)
        found += [_line(kind, [f"{', '.join(sources)} -> {', '.join(into)}"]) for sources, into in merged.items()]
    return tuple(found)


def mermaid(model: Model) -> str:
    """The diagram in Mermaid's language, as GitHub and most viewers of Markdown draw it."""
    arrows = {"dose": "-.->", "flow": "-->", "reads": "---", "drives": "==>", "derives": "-.-", "acts": "-.->"}
    shown = ["graph LR"]
    for one in edges(model):
        label = f'|"{one.label.strip(" ()")}"|' if one.label else ""
        source = f"dose_{one.source}([dose {one.source}])" if one.kind == "dose" else _box(one.source)
        shown.append(f"  {source} {arrows[one.kind]}{label} {_box(one.target)}")
    return "\n".join(shown)


def _on_the_way(route: object) -> str:
    named = {"bioavailability": "x {}", "lag": "after {}", "rate": "at rate {}", "duration": "over {}"}
    said = [text.format(getattr(route, part)) for part, text in named.items() if getattr(route, part) is not None]
    return f" ({', '.join(said)})" if said else ""


def _box(name: str) -> str:
    return "out((out))" if name == OUT else f"state_{name}[{name}]"


def _line(kind: str, parts: list[str]) -> str:
    return f"{kind:8s}{' -> '.join(parts)}"


def _chains(pairs: list[tuple[str, str]]) -> list[list[str]]:
    """`a -> b`, `b -> c` as `a, b, c`; each pair in one chain."""
    left, found = list(pairs), []
    while left:
        start = next((pair for pair in left if not any(pair[0] == other[1] for other in left)), left[0])
        left.remove(start)
        chain = list(start)
        while follow := next((pair for pair in left if pair[0] == chain[-1]), None):
            left.remove(follow)
            chain.append(follow[1])
        found.append(chain)
    return found
