"""The units on Debian 13's libraries. Last in the order of names: they run while the other tests do."""


def test_the_units_pass_on_debian_13(units_on_debian_13):
    assert units_on_debian_13.wait(1200) == 0, units_on_debian_13.stdout[-5000:] + units_on_debian_13.stderr[-1000:]
