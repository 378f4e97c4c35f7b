// What the server and the minting client agree on.

import { parseArgs } from 'node:util';

export const ALGS = ['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA', 'Ed25519'];
export const RESOURCE = 'https://mcp.example/mcp';
export const SCOPES = ['tools:list', 'tools:call', 'resources:read'];
export const CLIENT_SECRET = 'loopback-only';

// Which client asks decides which algorithm signs: agent-es256-07.
export const clientId = (alg, n) => `agent-${alg.toLowerCase()}-${String(n).padStart(2, '0')}`;
export const algOf = (id) => ALGS.find((alg) => id.startsWith(`agent-${alg.toLowerCase()}-`));

export function fail(message) {
  console.error(`oidc-provider: ${message}`);
  process.exit(2);
}

// Parses the command line; `options` maps names to [default, description], null marks a required one.
export function options(usage, table) {
  const config = Object.fromEntries(Object.keys(table).map((name) => [name, { type: 'string' }]));
  let values;
  try {
    ({ values } = parseArgs({ options: { ...config, help: { type: 'boolean' } } }));
  } catch (error) {
    fail(error.message);
  }
  if (values.help) {
    const line = ([name, [value, text]]) => `  --${name}  ${text}${value ? ` (${value})` : ''}`;
    console.log([`usage: ${usage}`, ...Object.entries(table).map(line)].join('\n'));
    process.exit(0);
  }
  return Object.fromEntries(Object.entries(table).map(([name, [value]]) => {
    const chosen = values[name] ?? value;
    if (chosen === null) fail(`--${name} is required`);
    return [name, chosen];
  }));
}

export function integer(text, name, min, max) {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) fail(`--${name} must be from ${min} to ${max}`);
  return value;
}
