"""The outcome of checking a table, for a reader and for a program."""

from dataclasses import asdict

from pkpd.dataset.findings import Breach
from pkpd.dataset.read import Check
from pkpd.dataset.summary import in_lines, summarised

SCHEMA_VERSION = 1
MOST_PLACES = 1_000


def report_text(check: Check) -> str:
    """Findings, worst first, then the summary if there is no error, then the verdict."""
    errors, warnings, notes = (len(check.findings.of(kind)) for kind in ("error", "warning", "note"))
    parts = [check.findings.text()] if check.findings.breaches else []
    if check.dataset is not None:
        parts.append("\n".join(in_lines(summarised(check.dataset))))
    verdict = "nothing can be computed from this table until the errors are gone" if errors else "ready to be used"
    counted = ", ".join(
        f"{count} {name}{'' if count == 1 else 's'}"
        for count, name in ((errors, "error"), (warnings, "warning"), (notes, "note"))
    )
    parts.append(f"{check.source}: {counted}: {verdict}")
    return "\n\n".join(parts)


def report_json(check: Check) -> dict[str, object]:
    """The same as plain values for JSON; of each rule at most `MOST_PLACES` are listed, all are counted."""
    return {
        "schema_version": SCHEMA_VERSION,
        "source": check.source,
        "ok": check.dataset is not None,
        "counts": {kind: len(check.findings.of(kind)) for kind in ("error", "warning", "note")},
        "findings": [_plain(breach) for breach in check.findings.breaches],
        "summary": asdict(summarised(check.dataset)) if check.dataset is not None else None,
    }


def _plain(breach: Breach) -> dict[str, object]:
    places = zip(breach.rows[:MOST_PLACES], breach.ids[:MOST_PLACES], breach.values[:MOST_PLACES], strict=True)
    return {
        "code": breach.code,
        "severity": breach.severity,
        "what": breach.what,
        "column": breach.column,
        "rule": breach.rule,
        "fix": breach.fix,
        "count": len(breach.rows) if breach.count is None else breach.count,
        "places": [{"row": int(row), "id": identity, "value": value} for row, identity, value in places],
    }
