"""A table as it lies in the file: names, cells and the line each row came from."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from pkpd.dataset.findings import NONE, Findings


@dataclass(frozen=True)
class Sheet:
    """A rectangular table before anything is known about what its columns mean.

    `names`: the column names as written. `cells`: one column a name, by position, with the type pandas
    saw. `lines[i]`: where row i stands in the file. `text(i, j)`: the cell exactly as written.
    `source`: what to call the table in messages. `findings`: what reading it broke or told.
    """

    source: str
    names: tuple[str, ...]
    cells: pd.DataFrame
    lines: np.ndarray
    text: Callable[[int, int], str] = field(repr=False)
    findings: Findings = NONE

    def __len__(self) -> int:
        return len(self.cells)

    def take(self, kept: np.ndarray) -> "Sheet":
        """The rows at the positions `kept`, in that order."""
        whole = self.text
        return replace(
            self,
            cells=self.cells.iloc[kept].reset_index(drop=True),
            lines=self.lines[kept],
            text=lambda row, column: whole(int(kept[row]), column),
        )

    def without(self, columns: list[int]) -> "Sheet":
        """The table less the columns at these positions."""
        kept = [place for place in range(len(self.names)) if place not in columns]
        whole = self.text
        return replace(
            self,
            names=tuple(self.names[place] for place in kept),
            cells=self.cells.iloc[:, kept].set_axis(range(len(kept)), axis=1),
            text=lambda row, column: whole(row, kept[column]),
        )


def sheet_of_frame(frame: pd.DataFrame, source: str, missing: tuple[str, ...]) -> Sheet:
    """A table in memory as a `Sheet`; its rows are counted from 1, and a missing mark in text is missing."""
    cells = frame.reset_index(drop=True).set_axis(range(frame.shape[1]), axis=1)
    for place in cells.columns:
        column = cells[place]
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = column.astype(object)
        if not pd.api.types.is_numeric_dtype(column.dtype):
            column = column.where(~column.isin(missing), None)
        cells[place] = column
    return Sheet(
        source=source,
        names=tuple(str(name) for name in frame.columns),
        cells=cells,
        lines=np.arange(1, len(frame) + 1),
        text=lambda row, column: "" if pd.isna(cells.iat[row, column]) else str(cells.iat[row, column]),
    )
