"""Drives `ai-mcp-gateway mcp` with the unchanged `mcp` client and prints what the client saw, as JSON.

Usage: python_client.py GATEWAY MODE        MODE is auto (the newest revision) or legacy (the handshake)
"""

import asyncio
import json
import os
import sys

from mcp import Client, MCPError, StdioServerParameters


async def look(client):
    progress = []

    async def on_progress(_done, _total, message):
        progress.append(message)

    tools = await client.list_tools()
    task = {"task": "Write a haiku", "context": {"language": "python", "requirements": ["short"]}, "quality": "high"}
    answer = await client.call_tool("code_agent", task, progress_callback=on_progress)
    status = await client.call_tool("gateway_status", {})
    refused = await client.call_tool("code_agent", {"task": ""})
    try:
        await client.call_tool("no_such_tool", {})
        unknown = None
    except MCPError as error:
        unknown = error.error.code
    many = await asyncio.gather(*(client.call_tool("code_agent", {"task": f"number {n}"}) for n in range(20)))
    return {
        "revision": client.protocol_version,
        "tools": [tool.name for tool in tools.tools],
        "code_agent": answer.structured_content,
        "progress": progress,
        "gateway_status": status.structured_content,
        "refused": json.loads(refused.content[0].text)["error"]["type"] if refused.is_error else None,
        "unknown_tool": unknown,
        "in_parallel": sum(f"number {n}" in one.structured_content["result"] for n, one in enumerate(many)),
    }


async def main():
    gateway, mode = sys.argv[1:]
    home = {"HOME": os.environ["HOME"]}
    server = StdioServerParameters(command=gateway, args=["mcp", "--simulator"], env=home, cwd="/")
    async with Client(server, mode=mode) as client:
        print(json.dumps(await look(client)))


if __name__ == "__main__":
    asyncio.run(main())
