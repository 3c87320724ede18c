"""The MCP server: the memory as tools and resources of the Model Context Protocol."""
