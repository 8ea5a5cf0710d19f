// The official TypeScript client, once. What it saw comes out as one line of JSON.
//   client.mjs ERA http URL KEY      ERA: legacy, auto, modern
//   client.mjs ERA stdio COMMAND ARGUMENT…
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.CLIENTS}/package.json`);
const { Client, StreamableHTTPClientTransport } = require('@modelcontextprotocol/client');
const { StdioClientTransport } = require('@modelcontextprotocol/client/stdio');

const [era, means, ...rest] = process.argv.slice(2);
const modes = { legacy: 'legacy', auto: 'auto', modern: { pin: '2026-07-28' } };
const client = new Client(
  { name: 'wand-tests', version: '1' },
  { versionNegotiation: { mode: modes[era] } },
);
const transport =
  means === 'http'
    ? new StreamableHTTPClientTransport(new URL(rest[0]), {
        requestInit: { headers: { Authorization: `Bearer ${rest[1]}` } },
      })
    : new StdioClientTransport({ command: rest[0], args: rest.slice(1), stderr: 'inherit' });

await client.connect(transport);
const progress = [];
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const ran = await client.callTool(
  { name: 'execute_command', arguments: { command: 'echo one; sleep 1.5; echo two' } },
  { onprogress: (step) => progress.push(step.message ?? '') },
);
const read = await client.callTool({ name: 'read_file', arguments: { path: 'poem.txt' } });
const refused = await client.callTool({ name: 'read_file', arguments: { path: '/etc/shadow' } });
console.log(
  JSON.stringify({
    version: client.getNegotiatedProtocolVersion?.() ?? null,
    tools,
    ran: ran.structuredContent,
    progress,
    read: read.content[0].text,
    refused: { isError: refused.isError, text: refused.content[0].text },
  }),
);
await client.close();
