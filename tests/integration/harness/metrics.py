"""/metrics, read the way Prometheus reads it."""

import re
from typing import Dict, FrozenSet, List, Optional, Tuple

from prometheus_client.parser import text_string_to_metric_families

Labels = FrozenSet[Tuple[str, str]]

# What promtool's `check metrics` objects to in names (github.com/prometheus/prometheus, promlint).
_NO_BASE_UNIT = re.compile(r"(milli|micro|nano|minutes?|hours?|days?|kilo|mega|kibi|mebi|ms$|_s$|percent)")
_TYPE_IN_NAME = re.compile(r"(^|_)(counter|gauge|histogram|summary)(_|$)")


class Metrics:
    """The samples of one scrape. Fails where a parser would."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families = list(text_string_to_metric_families(text))
        self.samples: Dict[Tuple[str, Labels], float] = {}
        for family in self.families:
            for sample in family.samples:
                key = sample.name, frozenset(sample.labels.items())
                assert key not in self.samples, f"twice: {key}"
                self.samples[key] = sample.value

    def names(self) -> List[str]:
        """The names as they stand behind # TYPE: the parser takes _total off."""
        return re.findall(r"^# TYPE (\S+) ", self.text, re.MULTILINE)

    def find(self, name: str, **labels: str) -> Optional[float]:
        """The sum of the samples that have these labels; None where none has."""
        found = [value for (sample, has), value in self.samples.items() if sample == name and has >= frozenset(labels.items())]
        return sum(found) if found else None

    def get(self, name: str, **labels: str) -> float:
        """The same, where there must be one."""
        value = self.find(name, **labels)
        assert value is not None, f"no sample of {name} with {labels}"
        return value

    def ours(self, name: str, **labels: str) -> float:
        return self.get(f"care360_lookup_{name}", **labels)

    def label_values(self, name: str, label: str) -> set:
        return {dict(labels)[label] for sample, labels in self.samples if sample == name}

    def problems(self) -> List[str]:
        """What a linter says of names, types and help."""
        found = []
        types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", self.text, re.MULTILINE))
        help_texts = dict(re.findall(r"^# HELP (\S+) (.+)$", self.text, re.MULTILINE))
        for name, kind in types.items():
            rules = {
                "has no help": name not in help_texts,
                "is no name": not re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", name),
                "is a counter without _total": kind == "counter" and not name.endswith("_total"),
                "is no counter, with _total": kind != "counter" and name.endswith("_total"),
                "ends like a part of a histogram": name.endswith(("_count", "_sum", "_bucket", "_info")) and name != "care360_lookup_build_info",
                "has no base unit": bool(_NO_BASE_UNIT.search(name)),
                "names its type": bool(_TYPE_IN_NAME.search(name)),
            }
            found += [f"{name} {rule}" for rule, broken in rules.items() if broken]
        return found + [f"{name} has help and no type" for name in help_texts if name not in types]

    def histogram_problems(self) -> List[str]:
        """Buckets that fall, or do not end at the count."""
        found = []
        for family in self.families:
            if family.type != "histogram":
                continue
            series: Dict[Labels, List[Tuple[float, float]]] = {}
            for sample in family.samples:
                if sample.name.endswith("_bucket"):
                    rest = frozenset((k, v) for k, v in sample.labels.items() if k != "le")
                    series.setdefault(rest, []).append((float(sample.labels["le"]), sample.value))
            for labels, buckets in series.items():
                counts = [count for _, count in sorted(buckets)]
                if counts != sorted(counts) or counts[-1] != self.samples[f"{family.name}_count", labels]:
                    found.append(f"{family.name}{set(labels)}: {counts}")
        return found
