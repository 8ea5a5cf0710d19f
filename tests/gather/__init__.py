"""The folder of vendors' descriptions of their APIs, made anew from the packages that carry them."""
