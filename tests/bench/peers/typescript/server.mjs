// The official TypeScript SDK's own server on node:http, as its documentation mounts it. Usage: server.mjs PORT
import { execFile } from 'node:child_process';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.PEER}/package.json`);
const { McpServer, createMcpHandler } = require('@modelcontextprotocol/server');
const { toNodeHandler } = require('@modelcontextprotocol/node');
const { z } = require('zod');

const text = (said) => ({ content: [{ type: 'text', text: said }] });

const handler = createMcpHandler(() => {
  const server = new McpServer({ name: 'bench', version: '1' });
  server.registerTool(
    'echo',
    { description: 'Say it again.', inputSchema: z.object({ text: z.string() }) },
    async (asked) => text(asked.text),
  );
  server.registerTool('true', { description: 'Run /bin/true.' }, async () => {
    const code = await new Promise((done) => {
      execFile('/bin/true', (error) => done(error ? (error.code ?? 1) : 0));
    });
    return text(`exit ${code}`);
  });
  return server;
});

createServer(toNodeHandler(handler)).listen(Number(process.argv[2]), '127.0.0.1');
