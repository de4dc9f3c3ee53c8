"""The three applications in one process, told apart by the port that was asked."""

import os

from tests.integration import wrapped_django, wrapped_flask, wrapped_plain

GATES = [each.application for each in (wrapped_plain, wrapped_flask, wrapped_django)]
BY_PORT = dict(zip(os.environ["PORTS"].split(), GATES, strict=True))


def application(environ, start_response):
    return BY_PORT[environ["SERVER_PORT"]](environ, start_response)
