// Proves that the certified provider as we set it up lets a right relying party through, and refuses what the relying party
// must never do. Uses jose and fetch alone, nothing of this project's own.

import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { createRemoteJWKSet, exportJWK, generateKeyPair, importJWK, jwtVerify, SignJWT } from 'jose';

import { browser, get, post, start } from './lib/child.mjs';

const CLIENT = 'front-door';
const BACK = 'http://127.0.0.1:9/auth/callback/login';
const PERSON = {
  sub: 'person-1',
  vot: 'P9.Cp.Cd',
  identity_proofing_level: 'P9',
  nhs_number: '9990000018',
  family_name: 'Larkspur',
  given_name: 'Imogen',
  birthdate: '1984-03-09',
};

const random = () => randomBytes(32).toString('base64url');
const client = await generateKeyPair('RS512', { modulusLength: 2048, extractable: true });
const folder = await mkdtemp(join(tmpdir(), 'front-door-smoke-'));
const file = join(folder, 'provider.json');
await writeFile(
  file,
  JSON.stringify({
    clientId: CLIENT,
    redirectUris: [BACK],
    clientJwk: { ...(await exportJWK(client.publicKey)), kid: 'client-1' },
    people: [PERSON],
  }),
);
const provider = await start('certified-provider.mjs', file);
try {
  await run();
} finally {
  await provider.end();
  await rm(folder, { recursive: true });
}
console.log('smoke: the certified provider passes');

async function run() {
  const discovery = await get(`${provider.issuer}/.well-known/openid-configuration`);
  assert.equal(discovery.issuer, provider.issuer);
  assert.deepEqual(discovery.id_token_signing_alg_values_supported, ['RS512']);
  assert.deepEqual(discovery.token_endpoint_auth_methods_supported, ['private_key_jwt']);
  assert.deepEqual(discovery.token_endpoint_auth_signing_alg_values_supported, ['RS512']);

  const first = await signIn(discovery);
  assert.equal(first.tokens.status, 200, JSON.stringify(first.tokens.body));
  const { payload, protectedHeader } = await verified(discovery, first);
  for (const claim of ['nhs_number', 'family_name', 'given_name', 'birthdate', 'vot', 'identity_proofing_level']) {
    assert.equal(payload[claim], PERSON[claim], claim);
  }
  assert.ok(payload.jti && payload.vtm);
  assert.equal(payload.exp - payload.iat, 3600);
  assert.equal(first.tokens.body.expires_in, 300);

  const userinfo = await fetch(discovery.userinfo_endpoint, {
    headers: { authorization: `Bearer ${first.tokens.body.access_token}` },
  });
  assert.equal((await userinfo.json()).sub, PERSON.sub);

  const unchecked = await authorize(discovery, { vtr: '["P9.Xx"]' });
  assert.equal(new URL(unchecked.location).searchParams.get('error'), 'invalid_request');
  const stranger = await signIn(discovery, { login: 'nobody' });
  assert.equal(stranger.code, null);

  const bad = [
    ['a code used twice', first, {}, 'invalid_grant'],
    ['another verifier', await signIn(discovery, { exchange: false }), { verifier: random() }, 'invalid_grant'],
    ['RS256 assertion', await signIn(discovery, { exchange: false }), { alg: 'RS256' }, 'invalid_client'],
    ['assertion for another host', await signIn(discovery, { exchange: false }), { aud: 'http://127.0.0.1:9/token' }, 'invalid_client'],
    ['assertion used twice', await signIn(discovery, { exchange: false }), { jti: first.jti }, 'invalid_client'],
  ];
  for (const [what, attempt, change, error] of bad) {
    const answer = await exchange(discovery, attempt, change);
    assert.equal(answer.body.error, error, what);
  }

  const before = await get(`${provider.issuer}/test/log`);
  const { kid } = await post(`${provider.issuer}/test/rotate`);
  assert.notEqual(kid, protectedHeader.kid);
  const rotated = await verified(discovery, await signIn(discovery));
  assert.equal(rotated.protectedHeader.kid, kid);

  await post(`${provider.issuer}/test/people`, { ...PERSON, nhs_number: '9990000026' });
  assert.equal((await verified(discovery, await signIn(discovery))).payload.nhs_number, '9990000026');

  const log = await get(`${provider.issuer}/test/log`);
  const good = log.token_requests.filter((request) => request.status === 200);
  assert.equal(good.length, 3);
  assert.equal(good[0].assertion.header.alg, 'RS512');
  assert.equal(good[0].assertion.claims.jti, first.jti);
  assert.equal(log.token_requests.filter((request) => request.error === 'invalid_client').length, 3);
  assert.ok(log.jwks_fetches > before.jwks_fetches);
  assert.equal(log.discovery_fetches, 1);
  assert.ok(log.authorizations.every((request) => request.code_challenge_method === 'S256'));
  for (const secret of [first.code, first.tokens.body.id_token, first.tokens.body.access_token]) {
    assert.ok(log.issued.includes(secret));
  }
}

async function authorize(discovery, { vtr = '["P9.Cp.Cd"]', go = browser() } = {}) {
  const attempt = { state: random(), nonce: random(), verifier: random() };
  const url = new URL(discovery.authorization_endpoint);
  url.search = new URLSearchParams({
    client_id: CLIENT,
    redirect_uri: BACK,
    response_type: 'code',
    scope: 'openid profile profile_extended',
    state: attempt.state,
    nonce: attempt.nonce,
    vtr,
    code_challenge: createHash('sha256').update(attempt.verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  return { ...attempt, location: (await go(url)).location };
}

async function signIn(discovery, { login = PERSON.sub, exchange: finish = true } = {}) {
  const go = browser();
  const attempt = await authorize(discovery, { go });
  let next = attempt.location;
  for (let step = 0; step < 10 && next !== null && !next.startsWith(BACK); step += 1) {
    const page = await go(next);
    const asks = page.body.match(/name="prompt" value="(login|consent)"/)?.[1];
    const answer = asks === 'login' ? { prompt: 'login', login, password: 'any' } : { prompt: 'consent' };
    next = asks === undefined ? page.location : (await go(next, answer)).location;
    // Someone unknown is asked again and again.
    if (asks === 'login' && step > 3) break;
  }
  const back = next?.startsWith(BACK) ? new URL(next).searchParams : new URLSearchParams();
  const done = { ...attempt, code: back.get('code'), jti: randomUUID() };
  if (done.code === null) return done;
  assert.equal(back.get('state'), attempt.state);
  assert.equal(back.get('iss'), provider.issuer);
  return finish ? { ...done, tokens: await exchange(discovery, done, {}) } : done;
}

async function exchange(discovery, attempt, { verifier, alg = 'RS512', aud, jti }) {
  const now = Math.floor(Date.now() / 1000);
  const assertion = await new SignJWT({ jti: jti ?? (attempt.tokens ? randomUUID() : attempt.jti) })
    .setProtectedHeader({ alg, kid: 'client-1', typ: 'JWT' })
    .setIssuer(CLIENT)
    .setSubject(CLIENT)
    .setAudience(aud ?? discovery.token_endpoint)
    .setIssuedAt(now)
    .setExpirationTime(now + 60)
    .sign(await importJWK(await exportJWK(client.privateKey), alg));
  const answer = await fetch(discovery.token_endpoint, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'authorization_code',
      code: attempt.code,
      redirect_uri: BACK,
      code_verifier: verifier ?? attempt.verifier,
      client_id: CLIENT,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: assertion,
    }),
  });
  return { status: answer.status, body: await answer.json() };
}

async function verified(discovery, attempt) {
  const result = await jwtVerify(attempt.tokens.body.id_token, createRemoteJWKSet(new URL(discovery.jwks_uri)), {
    algorithms: ['RS512'],
    issuer: provider.issuer,
    audience: CLIENT,
  });
  assert.equal(result.payload.nonce, attempt.nonce);
  return result;
}
