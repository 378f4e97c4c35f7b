// Does the real identity provider start, issue tokens of the shape that the engine is told to expect, and keep its
// keys over a kill -9? Runs on any Node.js from 18 on; the provider itself picks its own.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { constants, createPublicKey, verify } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const RUN = join(dirname(fileURLToPath(import.meta.url)), '../e2e/oidc-provider/run');
const START_MS = 150_000; // the first start installs the packages
const directory = mkdtempSync(join(tmpdir(), 'real-idp-test-'));
const keysFile = join(directory, 'keys.json');
const children = new Set();

function start(...args) {
  const child = spawn(RUN, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function serve(port) {
  const child = start('serve', '--keys', keysFile, '--port', port, '--clients', '2', '--ttl', '600');
  const timer = setTimeout(() => child.kill('SIGKILL'), START_MS);
  for await (const line of createInterface({ input: child.stdout })) {
    clearTimeout(timer);
    const match = /^ready (http:\/\/127\.0\.0\.1:(\d+))$/.exec(line);
    assert.ok(match, `not a ready line: ${line}`);
    return { child, url: match[1], port: match[2] };
  }
  throw new Error('the provider ended before it was ready');
}

async function kill({ child }) {
  child.kill('SIGKILL');
  await once(child, 'exit');
}

async function get(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  assert.equal(response.status, 200);
  return response.json();
}

const decode = (part) => JSON.parse(Buffer.from(part, 'base64url'));

function signatureVerifies(alg, key, signingInput, signature) {
  const hash = { 256: 'sha256', 384: 'sha384' }[alg.slice(2)] ?? null;
  const padding = alg.startsWith('PS') ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 } : {};
  const encoding = alg.startsWith('ES') ? { dsaEncoding: 'ieee-p1363' } : {};
  return verify(alg.startsWith('Ed') ? null : hash, signingInput, { key, ...padding, ...encoding }, signature);
}

function check(token, alg, n, issuer, jwks) {
  const [header, payload, signature] = token.split('.');
  const { kid, ...rest } = decode(header);
  assert.deepEqual(rest, { alg, typ: 'at+jwt' });
  const { iat, exp, jti, ...claims } = decode(payload);
  const client = `agent-${alg.toLowerCase()}-${String(n % 2).padStart(2, '0')}`;
  assert.deepEqual(claims, {
    iss: issuer,
    aud: 'https://mcp.example/mcp',
    sub: client,
    client_id: client,
    scope: 'tools:list tools:call resources:read',
    tenant: 'example',
    roles: ['agent'],
  });
  assert.equal(exp - iat, 600);
  assert.equal(typeof jti, 'string');
  const jwk = jwks.keys.find((key) => key.kid === kid);
  assert.ok(jwk, 'the key set lacks the key of a token');
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  assert.ok(signatureVerifies(alg, key, Buffer.from(`${header}.${payload}`), Buffer.from(signature, 'base64url')));
  if (alg === 'RS256') assert.ok(token.length > 760 && token.length < 840, `RS256 token of ${token.length} bytes`);
}

try {
  const algs = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'];
  const first = await serve('0');
  const before = await get(`${first.url}/jwks`);
  assert.equal(before.keys.length, 5);
  for (const key of before.keys) assert.equal(key.d, undefined, 'a private key is served');
  assert.equal(statSync(keysFile).mode & 0o777, 0o600);
  assert.equal((await get(`${first.url}/.well-known/openid-configuration`)).issuer, first.url);

  const mint = start('mint', '--url', first.url, '--out', directory, '--count', '3', '--clients', '2');
  let report = '';
  mint.stdout.on('data', (chunk) => { report += chunk; });
  const [code] = await once(mint, 'close');
  assert.equal(code, 0);
  for (const alg of algs) assert.match(report, new RegExp(`^${alg}: 3 tokens of \\d+ bytes, \\d+ a second$`, 'm'));
  await kill(first);

  const second = await serve(first.port);
  assert.equal(second.url, first.url);
  const after = await get(`${second.url}/jwks`);
  assert.deepEqual(after, before);
  for (const alg of algs) {
    const tokens = readFileSync(join(directory, `${alg}.txt`), 'utf8').trimEnd().split('\n');
    assert.equal(new Set(tokens).size, 3);
    tokens.forEach((token, n) => check(token, alg, n, second.url, after));
  }
  console.log('ok');
} finally {
  for (const child of children) child.kill('SIGKILL');
  rmSync(directory, { recursive: true, force: true });
}
