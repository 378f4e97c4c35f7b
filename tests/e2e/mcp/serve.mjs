// Two MCP servers of the TypeScript SDK on 127.0.0.1, without any authentication of their own: a modern one, of the server
// package 2.x, which speaks 2026-07-28 and nothing else, and a legacy one, of the SDK 1.x, with sessions. Prints where they
// listen, and where a GET is answered with the tools that have run since the last one, and for whom.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server';
import { McpServer as LegacyMcpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { z } from 'zod';

const INFO = { name: 'files', version: '1.0.0' };
let ran = [];

// Adds the tools to a server of either line; `subjectOf` finds in a tool's context what the gateway said of the caller.
function addTools(server, subjectOf) {
  for (const name of ['search', 'delete']) {
    const inputSchema = z.object({ path: z.string().optional() });
    server.registerTool(name, { description: `${name} files`, inputSchema }, (_, context) => {
      ran.push({ tool: name, subject: subjectOf(context) });
      return { content: [{ type: 'text', text: `${name}: done` }] };
    });
  }
  return server;
}

function modern() {
  const handler = createMcpHandler(
    () => addTools(new McpServer(INFO), (context) => context.http.req.headers.get('x-tollgate-subject')),
    { legacy: 'reject' });
  return toNodeHandler(handler);
}

function legacy() {
  const sessions = new Map();
  return async (request, response) => {
    let transport = sessions.get(request.headers['mcp-session-id']);
    if (transport === undefined) {
      transport = new StreamableHTTPServerTransport({
        sessionIdGenerator: randomUUID,
        onsessioninitialized: (id) => sessions.set(id, transport),
      });
      await addTools(new LegacyMcpServer(INFO), ({ requestInfo }) => requestInfo.headers['x-tollgate-subject'])
        .connect(transport);
    }
    await transport.handleRequest(request, response);
  };
}

function control(request, response) {
  response.end(JSON.stringify(ran));
  ran = [];
}

const addresses = {};
for (const [name, handler] of Object.entries({ modern: modern(), legacy: legacy(), control })) {
  const server = createServer(handler);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  addresses[name] = `127.0.0.1:${server.address().port}`;
}
console.log(JSON.stringify(addresses));
setTimeout(() => process.exit(2), 600_000);  // Whoever has started it may be gone.
