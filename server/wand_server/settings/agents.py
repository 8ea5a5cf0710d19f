"""The settings of the agents that carry tasks out."""

from typing import Annotated

from pydantic import Field, model_validator

from wand_server.kinds import Frozen, Words


class Agents(Frozen):
    """How many agents this process has, what they can do, and how they are looked after."""

    count: Annotated[int, Field(ge=0, le=256)] = (
        3  # always; 0: none here, for they are processes of their own
    )
    most: Annotated[int, Field(ge=0, le=256)] = 8  # while tasks wait
    queued_each: Annotated[int, Field(ge=1, le=10_000)] = 8  # so many tasks that wait bring one more
    capabilities: Words = ()  # what they can do beside what all can, for tasks that need it
    labels: Words = ()  # NAME=VALUE, for people and for tasks that need it
    health_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 10  # between two signs of life
    lease_seconds: Annotated[float, Field(ge=0.5, le=3600)] = (
        30  # after which a silent one's task is handed on
    )

    @model_validator(mode="after")
    def _bounds(self) -> "Agents":
        if self.count > self.most:
            raise ValueError(f"count is {self.count}, and must be at most most, which is {self.most}")
        return self
