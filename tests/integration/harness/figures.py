"""Figures that tests measure, shown at the end of the run: a conftest takes both names from here."""

import pytest


@pytest.fixture
def figure(request):
    """Notes a figure that the run's output is to show."""
    return lambda text: request.node.user_properties.append(("figure", f"{request.node.name}: {text}"))


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed"):
        if report.when == "call":
            for _, text in report.user_properties:
                terminalreporter.write_line(f"figure: {text}")
