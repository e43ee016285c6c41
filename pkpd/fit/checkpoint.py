"""A fit that is killed goes on where it was: the estimator's state in a file, written whole or not at all."""

import hashlib
import json
import time
import zipfile
from dataclasses import dataclass, field
from pathlib import Path

import jax
import numpy as np

from pkpd import __version__
from pkpd.errors import InputError
from pkpd.fit.estimator import Estimator, State
from pkpd.fit.fingerprint import written
from pkpd.fit.scalar import Scalar, Vector
from pkpd.population.priors import said
from pkpd.storage import write_atomically

SCHEMA = 1


def fingerprint(scalar: Scalar, estimator: Estimator, x: Vector) -> dict[str, str]:
    """What a state belongs to, each part by name: a state of other data or another model is never gone on from."""
    packing = scalar.population.packing
    leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(scalar.problem)]
    digest = hashlib.sha256()
    for leaf in leaves:
        digest.update(f"{leaf.shape}{leaf.dtype}".encode())
        digest.update(np.ascontiguousarray(leaf).tobytes())
    parts = (scalar.population.expressions, scalar.population.residuals, scalar.problem.predict)
    model = repr((packing, written(parts)))
    priors = {name: said(prior) for name, prior in scalar.population.priors.items()}
    return {
        "version": __version__,
        "estimator": repr(estimator),
        "method": repr(scalar.approximation),
        "model": hashlib.sha256(model.encode()).hexdigest(),
        "priors": repr(priors),
        "data": digest.hexdigest(),
        "start": hashlib.sha256(np.ascontiguousarray(x).tobytes()).hexdigest(),
    }


@dataclass
class Checkpoint:
    """The file `path`, written at most every `interval` seconds."""

    path: Path
    belongs: dict[str, str]
    interval: float = 2.0
    written: float = field(default=-float("inf"), init=False)

    def keep(self, state: State, *, now: bool = False) -> None:
        """Write the state, unless that was done a moment ago."""
        if not now and time.monotonic() - self.written < self.interval:
            return
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(state)]
        header = json.dumps({"schema": SCHEMA, "belongs": self.belongs}).encode()
        arrays = {f"leaf{i}": leaf for i, leaf in enumerate(leaves)}

        def write(path: Path) -> None:
            with path.open("wb") as stream:
                np.savez(stream, header=np.frombuffer(header, np.uint8), **arrays)  # type: ignore[arg-type]

        write_atomically(self.path, write)
        self.written = time.monotonic()

    def resume(self, like: State) -> State | None:
        """The state in the file, shaped as `like`; None where there is no file.

        Raises `InputError` when it belongs to something else, naming what differs, or is no checkpoint.
        """
        if not self.path.is_file():
            return None
        try:
            with self.path.open("rb") as stream, np.load(stream, allow_pickle=False) as file:
                header = json.loads(file["header"].tobytes())
                found = [file[f"leaf{i}"] for i in range(len(file.files) - 1)]
            belongs = header["belongs"]
        except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
            raise InputError(f"'{self.path}' is no checkpoint of a fit ({error}); remove it to start anew") from error
        if differing := [name for name, value in self.belongs.items() if belongs.get(name) != value]:
            raise InputError(
                f"the checkpoint '{self.path}' belongs to another fit: {', '.join(differing)} differ; remove it to "
                "start anew"
            )
        leaves, structure = jax.tree.flatten(like)
        shapes = [np.shape(leaf) for leaf in leaves]
        if [leaf.shape for leaf in found] != shapes:
            raise InputError(f"'{self.path}' does not hold the state of this fit; remove it to start anew")
        return jax.tree.unflatten(structure, found)
