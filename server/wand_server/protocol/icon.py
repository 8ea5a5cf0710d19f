"""The picture under which clients show this server."""

import base64

from mcp_types import Icon

_SVG = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">'
    '<rect width="32" height="32" rx="7" fill="#223"/>'
    '<path d="M8 24 20 12" stroke="#fff" stroke-width="3" stroke-linecap="round"/>'
    '<path d="m23 4 1.3 3.7L28 9l-3.7 1.3L23 14l-1.3-3.7L18 9l3.7-1.3z" fill="#fd5"/></svg>'
)
ICONS = [
    Icon(
        src="data:image/svg+xml;base64," + base64.b64encode(_SVG.encode()).decode(),
        mime_type="image/svg+xml",
        sizes=["any"],
    )
]
