"""The command line: `generate` makes sessions, `show` prints one, `score`, `diversity` and `compare` measure them, `reviews` tells what
raters said.

Exit codes: 0 everything was done, 1 something could not be, 2 the arguments do not fit, 130 interrupted.
What is heavy is imported where it is used, so that help and wrong arguments answer at once.
"""

from magnet_core.cli import generate, measure, reviews, show
from magnet_core.cli.frame import app

__all__ = ["app", "generate", "measure", "reviews", "show"]
