// A real OpenID provider on loopback: node provider.mjs RESOURCE; prints its address, and ends with its input.
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const require = createRequire(`${process.env.CLIENTS}/`);
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));
const resource = process.argv[2];
const scopes = 'wand:read wand:write wand:execute';

const settings = {
  clients: [
    { client_id: 'agent', client_secret: 'of the agent', grant_types: ['client_credentials'], redirect_uris: [],
      response_types: [], token_endpoint_auth_method: 'client_secret_basic', scope: scopes },
    { client_id: 'person', token_endpoint_auth_method: 'none', application_type: 'native', scope: scopes,
      redirect_uris: ['http://127.0.0.1:1/callback'], grant_types: ['authorization_code'], response_types: ['code'] },
    { client_id: 'wand', client_secret: 'of wand', grant_types: [], redirect_uris: [], response_types: [] },
  ],
  scopes: scopes.split(' '),
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    dPoP: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => resource,
      useGrantedResource: () => true,
      getResourceServerInfo: (_, asked) => ({
        scope: scopes,
        audience: asked.replace('/opaque', ''),
        accessTokenFormat: asked.endsWith('/opaque') ? 'opaque' : 'jwt',
        accessTokenTTL: 300,
      }),
    },
  },
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  server.on('request', new Provider(issuer, settings).callback());
  console.log(issuer);
});
process.stdin.resume().on('end', () => process.exit(0));
