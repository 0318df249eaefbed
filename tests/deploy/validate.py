"""Validates every object in the YAML on standard input; run by the Python that has kubernetes-validate.

Prints a line for each mistake. Fields that a schema does not know are mistakes, too.
"""

import sys

import jsonschema
import kubernetes_validate
import yaml
from custom_resources import SCHEMAS


def mistakes(found):
    """What is wrong with one object, as texts."""
    if found["kind"] in SCHEMAS:
        for error in jsonschema.Draft7Validator(SCHEMAS[found["kind"]]).iter_errors(found):
            yield f"{'.'.join(map(str, error.path))}: {error.message}"
    else:
        try:
            kubernetes_validate.validate(found, kubernetes_validate.latest_version(), strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"{'.'.join(map(str, error.path))}: {error.message}"


def main() -> None:
    count = 0
    for found in filter(None, yaml.safe_load_all(sys.stdin)):
        count += 1
        for mistake in mistakes(found):
            print(f"{found['kind']} {found['metadata']['name']}: {mistake}")
    print(f"{count} objects against Kubernetes {kubernetes_validate.latest_version()}", file=sys.stderr)


if __name__ == "__main__":
    main()
