// Proves the forging provider against a relying party made of jose and the standards' own words: what is said to be accepted is
// accepted, what is said to be refused is refused for the reason given, and for nothing else.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';

import { compactVerify, createLocalJWKSet, decodeProtectedHeader, importJWK } from 'jose';

import { get, post, start } from './lib/child.mjs';

const CLIENT = 'front-door';
const BACK = 'http://127.0.0.1:9/auth/callback/login';
const VTR = ['P9.Cp.Cd', 'P9.Cp.Ck', 'P9.Cm'];
const MOST = 256 * 1024;
const SKEW = 60;
const MINUTE = 60;

const random = () => randomBytes(24).toString('base64url');
class Refused extends Error {}

const provider = await start('forging-provider.mjs');
const { issuer, cases } = provider;

/** One whole sign-in; the reason for which it is refused, or the assurance it proves. */
async function signIn() {
  const { jwks_uri: jwksUri } = await get(`${issuer}/.well-known/openid-configuration`);
  const keys = await get(jwksUri);
  const attempt = { state: random(), nonce: random(), verifier: random() };
  const url = new URL(`${issuer}/authorize`);
  url.search = new URLSearchParams({
    client_id: CLIENT,
    redirect_uri: BACK,
    response_type: 'code',
    scope: 'openid profile',
    state: attempt.state,
    nonce: attempt.nonce,
    vtr: JSON.stringify(VTR),
    code_challenge: createHash('sha256').update(attempt.verifier).digest('base64url'),
    code_challenge_method: 'S256',
  });
  const back = new URL((await fetch(url, { redirect: 'manual' })).headers.get('location')).searchParams;
  assert.equal(back.get('state'), attempt.state);
  try {
    return { reason: null, assurance: await answer(back.get('code'), attempt, keys) };
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    return { reason: error.message };
  }
}


function check(holds, reason) {
  if (!holds) throw new Refused(reason);
}

function parsed(text, reason) {
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused(reason);
  }
}

async function answer(code, attempt, keys) {
  const reply = await fetch(`${issuer}/token`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'authorization_code', code, redirect_uri: BACK, code_verifier: attempt.verifier }),
  });
  const body = await reply.text();
  check(body.length <= MOST, 'token_malformed');
  const tokens = parsed(body, 'token_malformed');
  check(!Array.isArray(tokens) && typeof tokens.access_token === 'string' && tokens.token_type !== undefined, 'token_malformed');
  check(tokens.token_type.toLowerCase() === 'bearer', 'token_type');
  check(/^[\x21-\x7e]+$/.test(tokens.access_token), 'access_token_malformed');
  check(tokens.id_token !== undefined, 'id_token_missing');
  const claims = await idToken(tokens.id_token, attempt, keys);
  const said = await userinfo(tokens.access_token, claims.sub);
  return person(claims, said);
}

async function idToken(token, attempt, { keys }) {
  const { header, claims } = await authentic(token, keys);
  check(header.typ === undefined || header.typ === 'JWT', 'id_token_header');
  const now = Math.floor(Date.now() / 1000);
  for (const needed of ['iss', 'sub', 'exp', 'iat']) check(claims[needed] !== undefined, 'id_token_malformed');
  check(claims.iss === issuer, 'id_token_issuer');
  check([claims.aud].flat().every((it) => it === CLIENT), 'id_token_audience');
  check(claims.azp === undefined || claims.azp === CLIENT, 'id_token_authorized_party');
  check(claims.exp > now - SKEW, 'id_token_expired');
  check(Math.abs(now - claims.iat) <= 5 * MINUTE, 'id_token_issued_at');
  check(claims.exp - claims.iat <= 24 * 60 * MINUTE, 'id_token_lifetime');
  check(claims.nbf === undefined || claims.nbf <= now + SKEW, 'id_token_not_before');
  check(claims.auth_time === undefined || claims.auth_time <= now + SKEW, 'id_token_auth_time');
  check(claims.nonce === attempt.nonce, 'id_token_nonce');
  check(claims.sub.length > 0 && claims.sub.length <= 255, 'id_token_subject');
  return claims;
}

/** Who signed, by jose alone. Its error codes are turned into ours. */
async function authentic(token, keys) {
  let header;
  try {
    header = decodeProtectedHeader(token);
  } catch {
    throw new Refused('id_token_malformed');
  }
  // Before all else, and without a parser's mercy for members that come twice.
  const alg = Buffer.from(token.split('.')[0], 'base64url').toString('utf8').match(/"alg":"[^"]*"/g);
  check(alg !== null, 'id_token_malformed');
  check(alg.every((it) => it === '"alg":"RS512"'), 'id_token_alg');
  const found = header.kid === undefined ? keys : [createLocalJWKSet({ keys })];
  for (const key of found) {
    const usable = typeof key === 'function' ? key : await importJWK(key, 'RS512');
    try {
      const { payload } = await compactVerify(token, usable, { algorithms: ['RS512'] });
      const claims = parsed(bounded(new TextDecoder().decode(payload)), 'id_token_malformed');
      return { header, claims };
    } catch (error) {
      if (error instanceof Refused) throw error;
      const reason = {
        ERR_JWKS_NO_MATCHING_KEY: 'id_token_key_unknown',
        ERR_JWS_INVALID: 'id_token_malformed',
        ERR_JOSE_NOT_SUPPORTED: 'id_token_header',
        ERR_JWS_SIGNATURE_VERIFICATION_FAILED: 'id_token_signature',
      }[error.code];
      if (reason === undefined) throw error;
      if (reason !== 'id_token_signature' || key === found.at(-1)) throw new Refused(reason);
    }
  }
  throw new Refused('id_token_key_unknown');
}

// JSON.parse takes any depth that fits the stack; a relying party has a limit.
function bounded(text) {
  check(!text.includes('['.repeat(128)), 'id_token_malformed');
  return text;
}

async function userinfo(access, sub) {
  const reply = await fetch(`${issuer}/userinfo`, { headers: { authorization: `Bearer ${access}` } });
  check(reply.status === 200, 'userinfo_refused');
  check(reply.headers.get('content-type').startsWith('application/json'), 'userinfo_malformed');
  const said = parsed(await reply.text(), 'userinfo_malformed');
  check(typeof said.sub === 'string', 'userinfo_malformed');
  check(said.sub === sub, 'userinfo_subject');
  return said;
}

function person(claims, said) {
  check(claims.vot !== undefined, 'vot_missing');
  check(typeof claims.vot === 'string', 'vot_malformed');
  const parts = claims.vot.split('.').sort();
  const levels = parts.filter((it) => /^P[059]$/.test(it));
  check(levels.length === 1 && new Set(parts).size === parts.length && parts.every((it) => /^(P[059]|C[a-z])$/.test(it)), 'vot_malformed');
  check(VTR.some((vector) => vector.split('.').sort().join() === parts.join()), 'vot_not_requested');
  const same = (name, reason) => {
    check(claims[name] === undefined || said[name] === undefined || claims[name] === said[name], reason);
    return claims[name] ?? said[name];
  };
  const proofing = same('identity_proofing_level', 'proofing_level_contradicted') ?? 'P0';
  check(['P0', 'P5', 'P9'].includes(proofing), 'proofing_level_malformed');
  const born = same('birthdate', 'birthdate_contradicted');
  const number = same('nhs_number', 'nhs_number_contradicted');
  check(born === undefined || wholeDate(born), 'birthdate_invalid');
  check(born === undefined || Date.now() - Date.parse(born) > 13 * 365.25 * 24 * 3600 * 1000, 'under_age');
  check(typeof number === 'string' && modulus11(number), 'nhs_number_invalid');
  check(born !== undefined, 'birthdate_missing');
  return [levels[0], proofing].sort()[0];
}

function wholeDate(text) {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
}

function modulus11(text) {
  if (!/^\d{10}$/.test(text)) return false;
  const digits = [...text].map(Number);
  const sum = digits.slice(0, 9).reduce((total, digit, index) => total + digit * (10 - index), 0);
  return (11 - (sum % 11)) % 11 === digits[9];
}

/** The modes, key rotation and the counters do what they say. */
async function modes() {
  await post(`${issuer}/test/reset`);
  const before = (await get(`${issuer}/jwks`)).keys;
  const { kid } = await post(`${issuer}/test/rotate`, { keep: true });
  assert.deepEqual((await get(`${issuer}/jwks`)).keys.map((key) => key.kid), [kid, before[0].kid]);
  assert.equal((await signIn()).reason, null);
  await post(`${issuer}/test/rotate`);
  assert.equal((await get(`${issuer}/jwks`)).keys.length, 1);
  assert.equal((await get(`${issuer}/test/log`)).jwks_fetches, 4);

  for (const [endpoint, path] of [['discovery', '/.well-known/openid-configuration'], ['jwks', '/jwks'], ['userinfo', '/userinfo']]) {
    for (const mode of provider.modes[endpoint]) {
      await post(`${issuer}/test/mode`, { [endpoint]: mode });
      const outcome = await fetch(issuer + path, { redirect: 'manual', signal: AbortSignal.timeout(300) })
        .then(async (reply) => `${reply.status} ${(await reply.text()).length > MOST ? 'oversize' : ''}`.trim())
        .catch((error) => (error.name === 'TimeoutError' ? 'late' : 'broken'));
      const expected = {
        500: '500', 503: '503', 429: '429', 404: '404', error_html: '502', oversize: '200 oversize', redirect: '302',
        hang: 'late', trickle: 'late', close: 'broken', cut_short: 'broken',
      }[mode];
      assert.equal(outcome, expected ?? (endpoint === 'userinfo' && mode === 'normal' ? '401' : '200'), `${endpoint} ${mode}`);
    }
    await post(`${issuer}/test/mode`, { [endpoint]: 'normal' });
  }
  for (const mode of provider.modes.callback) {
    await post(`${issuer}/test/mode`, { callback: mode });
    const url = `${issuer}/authorize?${new URLSearchParams({ redirect_uri: BACK, state: 's', client_id: CLIENT })}`;
    const back = new URL((await fetch(url, { redirect: 'manual' })).headers.get('location')).searchParams;
    assert.equal(back.has('code'), /normal|issuer|state|code_unknown/.test(mode), mode);
    const states = { state_wrong: 'of-nobody', state_missing: null };
    assert.equal(back.get('state'), mode in states ? states[mode] : 's', mode);
    assert.equal(back.has('error'), !back.has('code') && !['consent_refused_without_error', 'code_missing'].includes(mode), mode);
  }
  const unknown = await fetch(`${issuer}/test/mode`, { method: 'POST', body: '{"token":"nonsense"}' });
  assert.equal(unknown.status, 400);
  const nobody = await fetch(`${issuer}/test/case`, { method: 'POST', body: '{"case":"toString"}' });
  assert.equal(nobody.status, 400);
}

async function everyCase() {
  assert.ok(cases.length >= 32);
  assert.equal(new Set(cases.map((row) => row.name)).size, cases.length);
  for (const row of cases) {
    await post(`${issuer}/test/case`, { case: row.name });
    const { reason, assurance } = await signIn();
    if (row.expect === 'accepted') {
      assert.equal(reason, null, `${row.name} is refused: ${reason}`);
      assert.equal(assurance, row.assurance, row.name);
    } else {
      assert.ok(row.reasons.includes(reason), `${row.name}: ${reason}, not ${row.reasons}`);
    }
  }
  const log = await get(`${issuer}/test/log`);
  assert.equal(log.token_requests.length, cases.length);
  assert.ok(log.token_requests.every((request) => request.verifier_fits && request.code_known));
  assert.equal(log.attacker_fetches, 0);
}

try {
  await everyCase();
  await modes();
} finally {
  await provider.end();
}
const accepted = cases.filter((row) => row.expect === 'accepted').length;
console.log(`forging-check: ${cases.length} cases, ${accepted} accepted, ${cases.length - accepted} refused, each as it says`);
