"""Writes the index of services anew: `./dev index`."""

import sys

from wand_server.integrations import catalog, index

sys.stdout.write(f"{index.write(catalog.module_names())}\n")
