// An MCP client of the TypeScript SDK that has nothing but a server's URL: it is turned away, finds out who issues tokens,
// registers if it has to, sends a person to log in, calls tools, is told that it needs more, and asks for it. Then another one, which is
// nobody's (client_credentials). Prints one line of JSON: what came of both, and each exchange of HTTP on the way.

import { parseArgs } from 'node:util';

const REDIRECT = 'http://127.0.0.1:1/callback';  // Nobody listens there: the browser stops in front of it.

const { values: args } = parseArgs({ options: {
  line: { type: 'string' },    // Of the SDK: 1 or 2.
  url: { type: 'string' },     // The server's.
  issuer: { type: 'string' },  // Whom the client that is nobody's believes.
  app: { type: 'string' },     // Whom the person's client is registered as; it registers itself without.
  granted: { type: 'string' }, // What the person agrees to at first, of what the client asks for.
  scope: { type: 'string' },   // What that one asks for, where the SDK does not by itself: 1.x.
} });

async function load(line) {
  if (line === '2') {
    const sdk = await import('@modelcontextprotocol/client');
    return { ...sdk, options: { versionNegotiation: { mode: { pin: '2026-07-28' } } } };
  }
  const [client, http, auth, more] = await Promise.all([
    import('@modelcontextprotocol/sdk/client/index.js'),
    import('@modelcontextprotocol/sdk/client/streamableHttp.js'),
    import('@modelcontextprotocol/sdk/client/auth.js'),
    import('@modelcontextprotocol/sdk/client/auth-extensions.js'),
  ]);
  return { ...client, ...http, ...auth, ...more, options: {} };
}

const sdk = await load(args.line);

let exchanges = [];
async function recordingFetch(url, options) {
  const response = await fetch(url, options);
  exchanges.push(`${options?.method ?? 'GET'} ${new URL(url).pathname} ${response.status}`);
  return response;
}

// Browser does what a person does with the provider's forms: logs in, and agrees.
class Browser {
  #cookies = new Map();

  async #load(url, options = {}) {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { ...options, headers: { cookie }, redirect: 'manual' });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line);
      this.#cookies.set(name, value);
    }
    return response;
  }

  // Returns where the provider sends the person back to.
  async visit(start) {
    let url = start;
    let response = await this.#load(url);
    for (let step = 0; step < 20; step++) {
      if (response.status >= 300 && response.status < 400) {
        url = new URL(response.headers.get('location'), url);
        if (url.href.startsWith(REDIRECT)) return url;
        response = await this.#load(url);
      } else {
        const page = await response.text();
        const action = /<form[^>]* action="([^"]+)"/.exec(page)?.[1];
        const prompt = /name="prompt" value="([^"]+)"/.exec(page)?.[1];
        if (!action || !prompt) throw new Error(`no form at ${url}: ${response.status} ${page.slice(0, 500)}`);
        url = new URL(action, url);
        response = await this.#load(url, {
          method: 'POST',
          body: new URLSearchParams({ prompt, login: 'alice', password: 'any' }),
        });
      }
    }
    throw new Error('the browser goes in circles');
  }
}

// Person is an OAuthClientProvider of either line.
class Person {
  redirectUrl = REDIRECT;
  clientMetadata = {
    client_name: 'a client of the SDK',
    redirect_uris: [REDIRECT],
    application_type: 'native',
    grant_types: ['authorization_code'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  };
  information = args.app && { client_id: args.app, issuer: args.issuer };
  asked = [];
  #browser = new Browser();

  clientInformation() { return this.information; }
  saveClientInformation(information) { this.information = information; }
  tokens() { return this.saved; }
  saveTokens(tokens) { this.saved = tokens; }
  discoveryState() { return this.discovery; }
  saveDiscoveryState(state) { this.discovery = state; }
  saveCodeVerifier(verifier) { this.verifier = verifier; }
  codeVerifier() { return this.verifier; }

  async redirectToAuthorization(url) {
    const parameters = Object.fromEntries(url.searchParams);
    this.asked.push({ scope: parameters.scope, resource: parameters.resource, pkce: parameters.code_challenge_method });
    // As if by a form that lets them choose.
    if (args.granted && this.asked.length === 1) url.searchParams.set('scope', args.granted);
    this.callback = (await this.#browser.visit(url)).searchParams;
  }
}

// Does `operation` with a transport, and again each time that the person has been asked.
async function withAuthorization(provider, transportOf, operation) {
  for (let attempt = 0; ; attempt++) {
    const transport = transportOf();
    try {
      return await operation(transport);
    } catch (error) {
      if (!(error instanceof sdk.UnauthorizedError) || attempt === 2) throw error;
      await transport.finishAuth(args.line === '2' ? provider.callback : provider.callback.get('code'));
    }
  }
}

// Lists the tools, uses all, and the first one once more: what the client asked for last must do for what it did before.
async function useTools(provider) {
  exchanges = [];
  const makeTransport = () =>
    new sdk.StreamableHTTPClientTransport(new URL(args.url), { authProvider: provider, fetch: recordingFetch });
  let client;
  let transport;
  await withAuthorization(provider, makeTransport, async (fresh) => {
    transport = fresh;
    client = new sdk.Client({ name: 'e2e', version: '1.0.0' }, sdk.options);
    await client.connect(transport);
  });
  const answers = [(await client.listTools()).tools.map((tool) => tool.name).join(' ')];
  for (const name of ['search', 'delete', 'search']) {
    const result = await withAuthorization(provider, () => transport, () => client.callTool({ name, arguments: {} }));
    answers.push(result.content[0].text);
  }
  const protocol = transport.protocolVersion;
  if (args.line === '1') await transport.terminateSession();
  await client.close();
  return { answers, asked: provider.asked, exchanges, protocol };
}

const person = await useTools(new Person());
const robot = await useTools(new sdk.ClientCredentialsProvider({
  clientId: 'robot', clientSecret: 'loopback-only', expectedIssuer: args.issuer, scope: args.scope }));
console.log(JSON.stringify({ person, robot }));
process.exit(0);
