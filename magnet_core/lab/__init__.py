"""The prompt lab: prompts looked at, linted, and tried on a moment of a session, in several variants and several times.

Nothing here stores anything: what an agent is asked in the lab changes no session. What judges are told is in `lab.wordings`.
"""

from magnet_core.lab.answers import Spread, Stack, Summary, count_choices, says, spread, stacks, summary
from magnet_core.lab.cases import RULES, Case, Rule, RuleKind, case_moment
from magnet_core.lab.drafts import Draft, Notebook, Reader, Variant
from magnet_core.lab.estimate import Cost, Used, cost, used
from magnet_core.lab.experiments import Experiment, Lane, words_sha
from magnet_core.lab.filling import Stretch, filled, method_for, variables_in
from magnet_core.lab.remarks import Remark, lint, usable
from magnet_core.lab.telling import told
from magnet_core.lab.texts import AGENTS, changed, fields, texts_for, tokens, with_own
from magnet_core.lab.trials import Grown, Sample, Trial, try_out

__all__ = [
    "AGENTS",
    "RULES",
    "Case",
    "Cost",
    "Draft",
    "Experiment",
    "Grown",
    "Lane",
    "Notebook",
    "Reader",
    "Remark",
    "Rule",
    "RuleKind",
    "Sample",
    "Spread",
    "Stack",
    "Stretch",
    "Summary",
    "Trial",
    "Used",
    "Variant",
    "case_moment",
    "changed",
    "cost",
    "count_choices",
    "fields",
    "filled",
    "lint",
    "method_for",
    "says",
    "spread",
    "stacks",
    "summary",
    "texts_for",
    "tokens",
    "told",
    "try_out",
    "usable",
    "used",
    "variables_in",
    "with_own",
    "words_sha",
]
