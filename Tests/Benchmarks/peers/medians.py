"""Benchmark lines of JSON, gathered by what they are of."""
import json
import statistics


class Lines:
    """Lines with the same values of `keys` are runs of one measurement, in order of their first."""

    def __init__(self, path, *keys):
        self.groups = {}
        for line in map(json.loads, open(path)):
            self.groups.setdefault(tuple(line.get(key) for key in keys), []).append(line)

    def median(self, column, *key):
        values = [line[column] for line in self.groups.get(key, []) if line.get(column) is not None]
        return statistics.median(values) if values else None


def cell(value, width=12):
    """A number for a table, right-aligned, with three digits or all before the point; empty for none."""
    return f"{'' if value is None else f'{value:,.3f}' if 0 < abs(value) < 10 else f'{value:,.1f}' if abs(value) < 100 else f'{value:,.0f}':>{width}}"
