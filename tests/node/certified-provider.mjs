// npm oidc-provider, which is certified for OpenID Connect, set up with the rules of the national sign-in service: RS512 and
// private_key_jwt alone, `vtr` checked, the same lifetimes. It is the second provider the relying party must pass against, and
// nobody of this project wrote it.
//
// node certified-provider.mjs CONFIG.json, where CONFIG.json holds
//   clientId       our client id
//   redirectUris   where it may send people back to
//   clientJwk      our public key, with a kid
//   people         [{sub, vot, identity_proofing_level, nhs_number, family_name, given_name, birthdate, vtm?, email?}];
//                  the login is the sub, the password anything
//   port           optional; 0 or absent: a free one
//   signingJwkFile optional; a private RSA JWK with a kid, instead of one made at the start
//
// One line on standard output says {"issuer", "port"}. Ends when standard input closes.
//
//   GET  /test/log      what was asked and what was issued
//   POST /test/people   adds or replaces one person (same shape as above)
//   POST /test/rotate   a new signing key under a new kid; what was issued before stays valid
//   POST /test/stop

import { randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';

import { exportJWK, generateKeyPair } from 'jose';
import Provider, { errors } from 'oidc-provider';

import { config, control, decoded, json, listen, ready, stop } from './lib/loopback.mjs';

const VECTORS = ['P0.Cp', 'P5.Cp.Cd', 'P5.Cp.Ck', 'P9.Cp.Cd', 'P9.Cp.Ck', 'P9.Cm'];
const MINUTE = 60;
const DAY = 24 * 60 * MINUTE;

const settings = await config();
for (const needed of ['clientId', 'redirectUris', 'clientJwk', 'people']) {
  if (settings[needed] === undefined) throw new Error(`the configuration lacks ${needed}`);
}

const people = new Map(settings.people.map((person) => [person.sub, person]));
const log = {
  authorizations: [],
  token_requests: [],
  discovery_fetches: 0,
  jwks_fetches: 0,
  userinfo_requests: 0,
  // Every secret that was given out: none of them may turn up in a log line, an answer or a database.
  issued: [],
};

async function signingKey() {
  if (settings.signingJwkFile !== undefined) {
    return JSON.parse(await readFile(settings.signingJwkFile, 'utf8'));
  }
  return freshKey();
}

async function freshKey() {
  const { privateKey } = await generateKeyPair('RS512', { modulusLength: 2048, extractable: true });
  return { ...(await exportJWK(privateKey)), kid: `signing-${randomUUID()}` };
}

function checkedVtr(ctx, value) {
  if (value === undefined) return;
  let vectors;
  try {
    vectors = JSON.parse(value);
  } catch {
    throw new errors.InvalidRequest('vtr is not JSON');
  }
  if (!Array.isArray(vectors) || vectors.length === 0 || !vectors.every((it) => VECTORS.includes(it))) {
    throw new errors.InvalidRequest('vtr must be an array of registered vectors');
  }
}

function account(sub) {
  const person = people.get(sub);
  if (person === undefined) return undefined;
  return {
    accountId: sub,
    claims: () => ({
      sub,
      jti: randomUUID(),
      vot: person.vot,
      vtm: person.vtm ?? `${listener.issuer}/trustmark`,
      nhs_number: person.nhs_number,
      family_name: person.family_name,
      given_name: person.given_name,
      birthdate: person.birthdate,
      identity_proofing_level: person.identity_proofing_level,
      email: person.email,
      email_verified: person.email === undefined ? undefined : true,
    }),
  };
}

const cookieKeys = [randomBytes(32).toString('base64url')];

function provider(signing) {
  const made = new Provider(listener.issuer, {
    clients: [
      {
        client_id: settings.clientId,
        redirect_uris: settings.redirectUris,
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'private_key_jwt',
        token_endpoint_auth_signing_alg: 'RS512',
        id_token_signed_response_alg: 'RS512',
        jwks: { keys: [{ ...settings.clientJwk, use: 'sig', alg: 'RS512' }] },
      },
    ],
    jwks: { keys: [{ ...signing, use: 'sig', alg: 'RS512' }] },
    // The client's own fields are not enough: the provider itself must know no other way.
    clientAuthMethods: ['private_key_jwt'],
    enabledJWA: {
      clientAuthSigningAlgValues: ['RS512'],
      idTokenSigningAlgValues: ['RS512'],
    },
    claims: {
      openid: ['sub', 'jti', 'vot', 'vtm'],
      profile: ['nhs_number', 'family_name', 'birthdate', 'identity_proofing_level'],
      profile_extended: ['given_name'],
      email: ['email', 'email_verified'],
    },
    scopes: ['openid', 'profile', 'profile_extended', 'email', 'offline_access'],
    // Otherwise the claims of a person appear at userinfo alone.
    conformIdTokenClaims: false,
    // Undeclared parameters vanish silently.
    extraParams: {
      vtr: checkedVtr,
      asserted_login_identity: null,
      fido_auth_response: null,
      allow_registration: null,
    },
    findAccount: (_, sub) => account(sub),
    features: { devInteractions: { enabled: true } },
    pkce: { required: () => true },
    issueRefreshToken: () => true,
    rotateRefreshToken: true,
    cookies: { keys: cookieKeys },
    ttl: {
      AccessToken: 5 * MINUTE,
      AuthorizationCode: 10 * MINUTE,
      Grant: 30 * DAY,
      IdToken: 60 * MINUTE,
      Interaction: 60 * MINUTE,
      RefreshToken: 30 * DAY,
      Session: DAY,
    },
    // The library's own hook refuses loopback addresses, where everything here lives.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  });
  made.use(recording);
  made.on('server_error', (_, error) => console.error(error));
  return made.callback();
}

function issued(value) {
  if (typeof value === 'string' && value !== '') log.issued.push(value);
}

async function recording(ctx, next) {
  const { path } = ctx;
  if (path === '/.well-known/openid-configuration') log.discovery_fetches += 1;
  if (path === '/jwks') log.jwks_fetches += 1;
  if (path === '/me') log.userinfo_requests += 1;
  await next();
  if (path === '/auth') log.authorizations.push({ ...ctx.query });
  if (path === '/token') recordToken(ctx);
  const location = ctx.response.get('location');
  if (location !== '' && URL.canParse(location)) issued(new URL(location).searchParams.get('code'));
}

function recordToken(ctx) {
  const body = { ...ctx.oidc?.body };
  const answer = ctx.body !== null && typeof ctx.body === 'object' ? ctx.body : {};
  log.token_requests.push({
    at: new Date().toISOString(),
    status: ctx.status,
    error: answer.error ?? null,
    parameters: Object.keys(body).sort(),
    grant_type: body.grant_type ?? null,
    redirect_uri: body.redirect_uri ?? null,
    authorization_header: ctx.get('authorization') !== '',
    assertion: body.client_assertion === undefined ? null : decoded(body.client_assertion),
  });
  issued(body.client_assertion);
  for (const name of ['id_token', 'access_token', 'refresh_token']) issued(answer[name]);
}

const listener = await listen(settings.port ?? 0);
let serve = provider(await signingKey());

listener.handle(async (request, answer) => {
  switch (`${request.method} ${request.url}`) {
    case 'GET /test/log':
      return json(answer, 200, log);
    case 'POST /test/people': {
      const person = await control(request, answer);
      if (person === undefined) return undefined;
      if (typeof person.sub !== 'string') return json(answer, 400, { error: 'a person needs a sub' });
      people.set(person.sub, person);
      return json(answer, 200, { people: people.size });
    }
    case 'POST /test/rotate': {
      const signing = await freshKey();
      serve = provider(signing);
      return json(answer, 200, { kid: signing.kid });
    }
    case 'POST /test/stop':
      return stop(answer);
    default:
      return serve(request, answer);
  }
});

ready({ issuer: listener.issuer, port: listener.port });
