"""What is wrong with a value, in words of ours: pydantic's speak to programmers."""

from pydantic_core import ErrorDetails

_MUST_BE = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "finite_number": "a number that is not infinite",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "path_type": "a path",
    "tuple_type": "a list",
    "dict_type": "a table",
    "model_type": "a table",
    "literal_error": "{expected}",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "string_pattern_mismatch": "text that matches {pattern}",
}


def words(problem: ErrorDetails) -> str:
    """What a value must be; where we have no words for it, those that came."""
    if must_be := _MUST_BE.get(problem["type"]):
        return "must be " + must_be.format(**problem.get("ctx", {}))
    said = problem["msg"].removeprefix("Value error, ")
    return said[:1].lower() + said[1:]
