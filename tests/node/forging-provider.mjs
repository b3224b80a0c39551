// A hostile OpenID provider. It is right in everything but the one thing it was told to forge.
//
// node forging-provider.mjs [CONFIG.json], where CONFIG.json may hold {port}.
//
// One line on standard output: {"issuer", "port", "cases": [{name, expect, reason, reasons, assurance, fresh, about}],
// "modes": {discovery, jwks, callback, token, userinfo}}. Ends when standard input closes.
//
//   POST /test/case     {case, sub?, claims?}: for every sign-in begun from now on; `claims` describe the person, in the id token
//                       and at userinfo alike, before anything is forged
//   POST /test/mode     {discovery?, jwks?, callback?, token?, userinfo?, clock?}: see forging/modes.mjs; `clock` is the time to
//                       issue at, in seconds, or null for the real one
//   POST /test/rotate   {keep?}: a new signing key under a new kid; the former stays published when `keep` is true
//   POST /test/reset    case and modes as at the start, an empty log
//   GET  /test/log      what was asked, how often, and every secret that was issued
//   POST /test/stop

import { createHash, randomBytes, randomUUID } from 'node:crypto';

import { CASES, described } from './forging/cases.mjs';
import { otherKeys, signingKey } from './forging/keys.mjs';
import { CALLBACKS, DISCOVERIES, FAULTS, KEY_SETS, MODES, TOKEN_REFUSALS } from './forging/modes.mjs';
import { signed } from './forging/tokens.mjs';
import { config, control, decoded, json, listen, ready, stop, text } from './lib/loopback.mjs';

const MINUTE = 60;
const PERSON = {
  sub: 'forged-person-1',
  nhs_number: '9990000018',
  family_name: 'Larkspur',
  given_name: 'Imogen',
  birthdate: '1984-03-09',
  identity_proofing_level: 'P9',
};
// Claims that belong to a sign-in and not to a person.
const OF_THE_TOKEN = ['vot', 'vtm', 'jti', 'nonce', 'aud', 'iss', 'iat', 'exp', 'auth_time'];

const settings = await config({});
const listener = await listen(settings.port ?? 0);
const { issuer } = listener;
const keys = { signing: await signingKey(), former: [], ...(await otherKeys()) };
let chosen, modes, log, codes, accesses, earlier;
reset();

function reset() {
  chosen = { name: 'control', person: PERSON };
  modes = { discovery: 'normal', jwks: 'normal', callback: 'normal', token: 'normal', userinfo: 'normal', clock: null };
  log = {
    authorizations: [],
    token_requests: [],
    userinfo_requests: [],
    discovery_fetches: 0,
    jwks_fetches: 0,
    // Must stay 0: nothing a token names is fetched, no redirect is followed.
    attacker_fetches: 0,
    redirected_fetches: 0,
    issued: [],
  };
  codes = new Map();
  accesses = new Map();
  earlier = undefined;
}

const now = () => modes.clock ?? Math.floor(Date.now() / 1000);
const secret = (prefix) => `${prefix}-${randomBytes(32).toString('base64url')}`;

function discovery() {
  const document = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    jwks_uri: `${issuer}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS512'],
    token_endpoint_auth_methods_supported: ['private_key_jwt'],
    token_endpoint_auth_signing_alg_values_supported: ['RS512'],
    scopes_supported: ['openid', 'profile', 'profile_extended', 'email'],
  };
  return DISCOVERIES[modes.discovery]?.(document, issuer) ?? document;
}

function keySet() {
  const special = KEY_SETS[modes.jwks]?.(keys);
  const published = special ?? CASES[chosen.name].keys?.(keys).map((key) => key.jwk) ?? [keys.signing.jwk];
  return { keys: [...published, ...keys.former.map((key) => key.jwk)] };
}

function authorize(url, answer) {
  const asked = Object.fromEntries(url.searchParams);
  log.authorizations.push(asked);
  const { redirect_uri: back, state } = asked;
  if (!URL.canParse(back)) return json(answer, 400, { error: 'redirect_uri is no address' });
  const code = secret('code');
  log.issued.push(code);
  codes.set(code, { asked, ...chosen });
  const change = CALLBACKS[modes.callback] ?? ((right) => right);
  const given = Object.entries({ state, ...change({ code, state }, issuer) });
  const target = new URL(back);
  for (const [name, value] of given) if (value !== undefined) target.searchParams.set(name, value);
  answer.writeHead(302, { location: target.href });
  return answer.end();
}

function vectors(vtr) {
  try {
    const read = JSON.parse(vtr);
    return Array.isArray(read) ? read : [];
  } catch {
    return [];
  }
}

/** What a right provider would say, and what the case makes of it. */
async function forge(grant) {
  const { asked, name, person } = grant;
  const row = CASES[name];
  const attempt = { nonce: asked.nonce, vtr: vectors(asked.vtr) };
  const context = { keys, issuer, clientId: asked.client_id, now: now(), attempt, earlier };
  const vot = attempt.vtr.length === 0 || attempt.vtr.includes('P9.Cp.Cd') ? 'P9.Cp.Cd' : attempt.vtr[0];
  const right = {
    iss: issuer,
    aud: asked.client_id,
    iat: context.now,
    exp: context.now + 60 * MINUTE,
    auth_time: context.now,
    jti: randomUUID(),
    nonce: asked.nonce,
    vot,
    vtm: `${issuer}/trustmark`,
    ...person,
  };
  const told = Object.fromEntries(Object.entries(person).filter(([claim]) => !OF_THE_TOKEN.includes(claim)));
  const usual = { alg: 'RS512', kid: keys.signing.kid, typ: 'JWT' };
  const header = row.header?.(usual, context) ?? usual;
  const claims = row.claims?.(right, context) ?? right;
  const make = row.token ?? ((head, body) => signed(head, body, keys.signing));
  return { row, token: await make(header, claims, context), userinfo: row.userinfo?.(told, context) ?? told };
}

async function token(request, answer) {
  const body = Object.fromEntries(new URLSearchParams(await text(request)));
  const grant = codes.get(body.code);
  codes.delete(body.code);
  const challenge = createHash('sha256').update(body.code_verifier ?? '').digest('base64url');
  log.token_requests.push({
    at: new Date().toISOString(),
    parameters: Object.keys(body).sort(),
    grant_type: body.grant_type ?? null,
    redirect_uri: body.redirect_uri ?? null,
    code_known: grant !== undefined,
    verifier_fits: grant !== undefined && challenge === grant.asked.code_challenge,
    authorization_header: request.headers.authorization !== undefined,
    assertion: body.client_assertion === undefined ? null : decoded(body.client_assertion),
  });
  if (body.client_assertion !== undefined) log.issued.push(body.client_assertion);
  const fault = FAULTS[modes.token] ?? TOKEN_REFUSALS[modes.token];
  if (fault !== undefined) return fault(answer, issuer);
  if (grant === undefined) return json(answer, 400, { error: 'invalid_grant' });
  const forged = await forge(grant);
  if (forged.row.send !== undefined) return forged.row.send(answer);
  const access = secret('access');
  accesses.set(access, forged);
  const right = { access_token: access, token_type: 'Bearer', expires_in: 5 * MINUTE, id_token: forged.token };
  log.issued.push(access, forged.token);
  if (forged.row.expect === 'accepted') earlier = forged.token;
  return json(answer, 200, forged.row.answer?.(right) ?? right);
}

function userinfo(request, answer) {
  const access = request.headers.authorization?.replace(/^Bearer /i, '');
  const forged = accesses.get(access);
  log.userinfo_requests.push({ known: forged !== undefined });
  const fault = FAULTS[modes.userinfo];
  if (fault !== undefined) return fault(answer, issuer);
  if (forged === undefined) return json(answer, 401, { error: 'invalid_token' });
  if (forged.row.sendUserinfo !== undefined) return forged.row.sendUserinfo(answer);
  return json(answer, 200, forged.userinfo);
}

async function choose(request, answer) {
  const body = await control(request, answer);
  if (body === undefined) return undefined;
  const name = body.case ?? 'control';
  if (!Object.hasOwn(CASES, name)) return json(answer, 400, { error: `no case is called ${name}` });
  chosen = { name, person: { ...PERSON, ...body.claims, ...(body.sub === undefined ? {} : { sub: body.sub }) } };
  return json(answer, 200, described().find((row) => row.name === name));
}

async function setModes(request, answer) {
  const body = await control(request, answer);
  if (body === undefined) return undefined;
  for (const [what, mode] of Object.entries(body)) {
    const fine = what === 'clock' ? mode === null || Number.isInteger(mode) : MODES[what]?.includes(mode);
    if (!fine) return json(answer, 400, { error: `${what}: no mode ${mode}`, modes: MODES });
  }
  modes = { ...modes, ...body };
  return json(answer, 200, modes);
}

async function rotate(request, answer) {
  const body = await control(request, answer);
  if (body === undefined) return undefined;
  keys.former = body.keep === true ? [...keys.former, keys.signing] : [];
  keys.signing = await signingKey();
  return json(answer, 200, { kid: keys.signing.kid });
}

listener.handle(async (request, answer) => {
  const url = new URL(request.url, issuer);
  switch (`${request.method} ${url.pathname}`) {
    case 'GET /.well-known/openid-configuration':
      log.discovery_fetches += 1;
      return modes.discovery in FAULTS ? FAULTS[modes.discovery](answer, issuer) : json(answer, 200, discovery());
    case 'GET /jwks':
      log.jwks_fetches += 1;
      return modes.jwks in FAULTS ? FAULTS[modes.jwks](answer, issuer) : json(answer, 200, keySet());
    case 'GET /authorize':
      return authorize(url, answer);
    case 'POST /token':
      return token(request, answer);
    case 'GET /userinfo':
      return userinfo(request, answer);
    case 'GET /attacker/jwks':
      log.attacker_fetches += 1;
      return json(answer, 200, { keys: [keys.attacker.jwk] });
    case 'GET /attacker/certificate':
      log.attacker_fetches += 1;
      return json(answer, 404, {});
    case 'POST /test/case':
      return choose(request, answer);
    case 'POST /test/mode':
      return setModes(request, answer);
    case 'POST /test/rotate':
      return rotate(request, answer);
    case 'POST /test/reset':
      reset();
      return json(answer, 200, {});
    case 'GET /test/log':
      return json(answer, 200, log);
    case 'POST /test/stop':
      return stop(answer);
    default:
      if (url.pathname === '/redirected') log.redirected_fetches += 1;
      return json(answer, 404, { error: 'not_found' });
  }
});

ready({ issuer, port: listener.port, cases: described(), modes: MODES });
