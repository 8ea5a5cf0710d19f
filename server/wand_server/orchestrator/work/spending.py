"""How much a model may write in its next answer, within what a goal may still use."""

from dataclasses import replace
from typing import Any

from wand_proto.errors import Exhausted
from wand_server.orchestrator.work.around import Budget
from wand_server.orchestrator.work.models.port import Mind, Usage

_LEAST_TOKENS = 256  # that an answer must have room for
_NO_PRICES = "a budget in dollars needs prices, and none are known"


def less(
    budget: Budget, *, turns: int | None = None, tokens: int | None = None, cost_usd: float | None = None
) -> Budget:
    """The budget, where that is less; what is None bounds nothing."""
    return Budget(
        turns=_less(budget.turns, turns),
        tokens=_less(budget.tokens, tokens),
        cost_usd=_less(budget.cost_usd, cost_usd),
    )


def _less(one: Any, other: Any) -> Any:
    return min((each for each in (one, other) if each is not None), default=None)


def room(mind: Mind, budget: Budget, spent: Usage, last: Usage) -> int:
    """So many tokens; `spent` is what was used so far, `last` what the last answer took of it.

    Raises:
        Exhausted: it is too little.
    """
    if budget.turns is not None and spent.turns >= budget.turns:
        raise Exhausted(f"the goal is not reached after {spent.turns} turns", field="turns")
    most = mind.most_output_tokens
    if budget.tokens is not None:
        most = min(most, budget.tokens - spent.tokens)
        if most < _LEAST_TOKENS:
            raise Exhausted(f"{spent.tokens} of {budget.tokens} tokens are used", field="tokens")
    if budget.cost_usd is not None:
        most = min(most, _affordable(mind, budget.cost_usd, spent, last))
    return most


def _affordable(mind: Mind, most_usd: float, spent: Usage, last: Usage) -> int:
    """What is left, without what it costs to have the conversation read once more."""
    if mind.prices is None:
        hint = "add the prices to the table [model] of the settings"
        raise Exhausted(_NO_PRICES, hint=hint, field="cost_usd")
    if mind.prices.output <= 0:
        return mind.most_output_tokens
    reading = mind.prices.of(replace(last, output_tokens=0))
    tokens = int((most_usd - spent.cost_usd - reading) / mind.prices.output * 1e6)
    if tokens < _LEAST_TOKENS:
        raise Exhausted(f"{spent.cost_usd:.4f} of {most_usd:.4f} dollars are spent", field="cost_usd")
    return tokens
