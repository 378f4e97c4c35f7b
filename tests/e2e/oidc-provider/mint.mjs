// Mints tokens through the token endpoint of a running idp.mjs: one file for each algorithm, one token a line.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { ALGS, CLIENT_SECRET, RESOURCE, SCOPES, clientId, fail, integer, options } from './common.mjs';

const args = options('run mint --url URL --out DIR [options]', {
  url: [null, 'the issuer, as the ready line of serve prints it'],
  out: [null, 'directory for RS256.txt, ES256.txt, …'],
  count: ['100', 'tokens for each algorithm'],
  algs: [ALGS.join(','), 'algorithms'],
  clients: ['10', 'clients in turn; at most as many as serve has'],
  concurrency: ['16', 'requests in flight'],
  resource: [RESOURCE, 'resource (RFC 8707); an empty one: opaque tokens'],
  scope: [SCOPES.join(' '), 'scopes'],
});
const count = integer(args.count, 'count', 1, 10_000_000);
const numClients = integer(args.clients, 'clients', 1, 10_000);
const concurrency = integer(args.concurrency, 'concurrency', 1, 256);
const algs = args.algs.split(',');
for (const alg of algs) if (!ALGS.includes(alg)) fail(`no such algorithm: ${alg}`);

async function mintOne(endpoint, alg, n) {
  const response = await fetch(endpoint, {
    method: 'POST',
    signal: AbortSignal.timeout(10_000),
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId(alg, n % numClients),
      client_secret: CLIENT_SECRET,
      ...(args.resource ? { resource: args.resource } : {}),
      scope: args.scope,
    }),
  });
  const body = await response.json();
  if (!response.ok) throw new Error(`${response.status} ${body.error}: ${body.error_description}`);
  return body.access_token;
}

async function mintAll(endpoint, alg) {
  const tokens = new Array(count);
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const n = next++;
      tokens[n] = await mintOne(endpoint, alg, n);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, count) }, worker));
  return tokens;
}

try {
  mkdirSync(args.out, { recursive: true });
  const discovery = await fetch(`${args.url}/.well-known/openid-configuration`, { signal: AbortSignal.timeout(10_000) });
  const endpoint = (await discovery.json()).token_endpoint;
  for (const alg of algs) {
    const start = performance.now();
    const tokens = await mintAll(endpoint, alg);
    const seconds = (performance.now() - start) / 1000;
    writeFileSync(join(args.out, `${alg}.txt`), `${tokens.join('\n')}\n`);
    const bytes = Math.round(tokens.reduce((sum, token) => sum + token.length, 0) / count);
    console.log(`${alg}: ${count} tokens of ${bytes} bytes, ${Math.round(count / seconds)} a second`);
  }
} catch (error) {
  fail(error.cause ? `${error.message}: ${error.cause.message}` : error.message);
}
