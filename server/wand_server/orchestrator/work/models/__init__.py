"""Models that use tools, behind one port; one module for each way in which they are asked."""
