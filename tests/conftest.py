"""What is set for the tests and is no setting of Wand, which refuses a WAND_… that it does not know."""

import os

if folder := os.environ.pop("WAND_OPENAPI_DIR", ""):  # of API descriptions: support/prism.py
    os.environ["OPENAPI_DIR"] = folder
