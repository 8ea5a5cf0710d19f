"""What carries out one task, steps or a goal in words. It knows no store: what must be kept, a journal keeps.

`checking.check` lets a task pass before it is accepted, `carrying.carry_out` does it, and `around` has what
both are given and give back.
"""
