// The official TypeScript client, let in by OAuth. It prints where a person has to go, and reads from stdin where
// they came back to; then it runs a command, and prints what came out with the kind of its token.
//   oauth.mjs ERA URL CALLBACK [dpop]
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

const require = createRequire(`${process.env.CLIENTS}/package.json`);
const sdk = require('@modelcontextprotocol/client');

const [era, url, redirectUrl, binding] = process.argv.slice(2);
const modes = { legacy: 'legacy', auto: 'auto', modern: { pin: '2026-07-28' } };
const kept = {};
const session = binding === 'dpop' ? await sdk.DpopSession.create() : undefined;
const provider = {
  redirectUrl,
  clientMetadata: {
    client_name: 'wand-tests',
    redirect_uris: [redirectUrl],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'none',
  },
  clientInformation: () => kept.client,
  saveClientInformation: (client) => void (kept.client = client),
  tokens: () => kept.tokens,
  saveTokens: (tokens) => void (kept.tokens = tokens),
  redirectToAuthorization: (where) => console.log(String(where)),
  saveCodeVerifier: (verifier) => void (kept.verifier = verifier),
  codeVerifier: () => kept.verifier,
  ...(session ? { dpop: () => session } : {}),
};
const transport = () => new sdk.StreamableHTTPClientTransport(new URL(url), { authProvider: provider });
const client = () =>
  new sdk.Client({ name: 'wand-tests', version: '1' }, { versionNegotiation: { mode: modes[era] } });

const first = transport();
try {
  await client().connect(first);
} catch (error) {
  if (!(error instanceof sdk.UnauthorizedError)) throw error;
}
for await (const line of createInterface({ input: process.stdin })) {
  await first.finishAuth(new URL(line).searchParams);
  break;
}
const ready = client();
await ready.connect(transport());
const ran = await ready.callTool({ name: 'execute_command', arguments: { command: 'rev poem.txt' } });
await sdk.auth(provider, { serverUrl: url }); // by the refresh token
const again = await ready.callTool({ name: 'execute_command', arguments: { command: 'rev poem.txt' } });
console.log(
  JSON.stringify({ type: kept.tokens.token_type, ran: [ran, again].map((one) => one.structuredContent.stdout) }),
);
await ready.close();
process.exit(0);
