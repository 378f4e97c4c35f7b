// The certified oidc-provider on 127.0.0.1: client_credentials, resource indicators, JWT access tokens. SIGHUP rotates: new
// keys sign, the old ones stay in the key set.

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';

import { ALGS, CLIENT_SECRET, RESOURCE, SCOPES, algOf, clientId, fail, integer, options } from './common.mjs';

const args = options('run serve --keys FILE [options]', {
  keys: [null, 'private keys (JWK set), made if it does not exist'],
  port: ['0', 'port on 127.0.0.1, 0 for any free one'],
  clients: ['10', 'clients for each algorithm: agent-es256-00, …'],
  resource: [RESOURCE, 'resources (RFC 8707) that get JWT access tokens, one space between two'],
  scope: [SCOPES.join(' '), 'scopes'],
  login: ['no', 'yes: clients may register themselves (RFC 7591), and people log in by any name and password'],
  ttl: ['3600', 'lifetime of access tokens in seconds'],
});
const ttl = integer(args.ttl, 'ttl', 1, 1e9);
const resources = args.resource.split(' ');
const login = { enabled: args.login === 'yes' };

// Its warnings are about production set-ups, which this is not.
console.info = console.warn = () => {};
const { Provider, errors } = await import('oidc-provider');

function newKey(alg) {
  const { privateKey } = {
    RS: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    PS: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ES: () => generateKeyPairSync('ec', { namedCurve: `P-${alg.slice(2)}` }),
    Ed: () => generateKeyPairSync('ed25519'),
  }[alg.slice(0, 2)]();
  const jwk = { ...privateKey.export({ format: 'jwk' }), use: 'sig', kid: randomBytes(12).toString('base64url') };
  // The Ed25519 key signs under both of its names, EdDSA and Ed25519 (RFC 9864), so it bears neither.
  return alg.startsWith('Ed') ? jwk : { ...jwk, alg };
}

// Puts new keys before those of `old`: of several the first one signs.
function makeKeys(path, old) {
  const jwks = { keys: [...ALGS.filter((alg) => alg !== 'Ed25519').map(newKey), ...old] };
  writeFileSync(`${path}.tmp`, JSON.stringify(jwks, null, 2), { mode: 0o600 });
  renameSync(`${path}.tmp`, path);
  return jwks;
}

function loadOrMakeKeys(path) {
  try {
    return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : makeKeys(path, []);
  } catch (error) {
    return fail(`cannot use ${path}: ${error.message}`);
  }
}

function clients() {
  const numbers = [...Array(integer(args.clients, 'clients', 1, 10000)).keys()];
  const agents = ALGS.flatMap((alg) => numbers.map((n) => ({
    client_id: clientId(alg, n),
    client_secret: CLIENT_SECRET,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    token_endpoint_auth_method: 'client_secret_post',
    scope: args.scope,
  })));
  // As the clients of MCP SDKs prove who they are.
  const robot = { ...agents[0], client_id: 'robot', token_endpoint_auth_method: 'client_secret_basic' };
  const resourceServer = {
    client_id: 'resource-server',
    client_secret: 'resource-server-secret',
    grant_types: [],
    redirect_uris: [],
    response_types: [],
  };
  // A program of somebody's, which logs people in and is known already.
  const app = {
    client_id: 'app',
    application_type: 'native',
    redirect_uris: ['http://127.0.0.1:1/callback'],
    token_endpoint_auth_method: 'none',
  };
  return [...agents, robot, resourceServer, ...(login.enabled ? [app] : [])];
}

function configuration(jwks) {
  return {
    jwks,
    clients: clients(),
    scopes: args.scope.split(' '),
    ttl: { ClientCredentials: ttl },
    // Brings RS256 tokens to about 800 bytes.
    extraTokenClaims: () => ({ tenant: 'example', roles: ['agent'] }),
    features: {
      devInteractions: login,
      registration: login,
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientId === 'resource-server' },
      // Whoever accepts nothing but a signed answer gets one; the client's default is RS256.
      jwtIntrospection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(ctx, resource, client) {
          if (!resources.includes(resource)) throw new errors.InvalidTarget();
          return {
            scope: args.scope,
            accessTokenFormat: 'jwt',
            accessTokenTTL: ttl,
            jwt: { sign: { alg: algOf(client.clientId) ?? 'RS256' } },
          };
        },
      },
    },
  };
}

let jwks = loadOrMakeKeys(args.keys);
const server = createServer();
server.on('error', (error) => fail(error.message));
server.listen(integer(args.port, 'port', 0, 65535), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  // Keys are fixed at construction; what the provider remembers lives outside of it.
  function serve() {
    const provider = new Provider(issuer, configuration(jwks));
    server.removeAllListeners('request').on('request', provider.callback());
  }
  try {
    serve();
  } catch (error) {
    fail(`oidc-provider refuses its configuration: ${error.message}`);
  }
  process.on('SIGHUP', () => {
    jwks = makeKeys(args.keys, jwks.keys);
    serve();
    console.log('rotated');
  });
  console.log(`ready ${issuer}`);
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0));
