"""Speeds and times that are compared: the best of some rounds, so that whatever else the machine does passes by."""

from typing import Callable, Dict, Hashable, TypeVar

Name = TypeVar("Name", bound=Hashable)


def best_of_rounds(ways: Dict[Name, Callable[[], float]], enough: Callable[[Dict[Name, float]], bool],
                   best: Callable[[float, float], float] = max, least: int = 1, most: int = 5) -> Dict[Name, float]:
    """
    Measures each of the `ways` in turn, round after round: at least `least` of them, then until the best figures so
    far are `enough`, but no more than `most`. Returns these figures.
    """
    found: Dict[Name, float] = {}
    for number in range(1, most + 1):
        for name, measure in ways.items():
            figure = measure()
            found[name] = best(found.get(name, figure), figure)
        if number >= least and enough(found):
            break
    return found
