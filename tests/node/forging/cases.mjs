// Every forged answer, one row each, wrong in exactly one way. A row may say
//   expect     accepted or refused
//   reasons    the reason codes of the access log that are right for a refusal, the likeliest first
//   assurance  what an accepted sign-in proves, where it is not P9
//   fresh      only says something to a relying party that has not yet fetched keys: the key set is another
//   keys       the key set that is served, from the provider's keys
//   header, claims, userinfo, answer   change what would be right; each gets (value, context)
//   token      makes the id token itself from (header, claims, context)
//   send       takes over the answer to the token request; sendUserinfo to the userinfo request
//
// The context: keys, issuer, clientId, now (seconds), attempt (nonce, vtr, ...), earlier (id tokens issued before).

import { randomUUID } from 'node:crypto';

import { encoded, encrypted, keyed, signed, signedRaw, signedUnder, unsigned, withClaims, withHeader } from './tokens.mjs';

const ANOTHER_NUMBER = '9990000069';
const MINUTE = 60;
const YEAR = 365 * 24 * 60 * MINUTE;

const without = (name) => ({ [name]: gone, ...rest }) => rest;
const claim = (name, value) => ({ claims: (claims, context) => ({ ...claims, [name]: typeof value === 'function' ? value(context) : value }) });
const lacking = (name) => ({ claims: without(name) });
const both = (name, value) => ({ ...claim(name, value), userinfo: claim(name, value).claims });
const header = (change) => ({ header: (usual, context) => ({ ...usual, ...change(context) }) });
const byAttacker = { token: (head, claims, { keys }) => signed(head, claims, keys.attacker) };
const algorithm = (alg) => ({ ...header(() => ({ alg })), token: (head, claims, { keys }) => signed(head, claims, keys.signing) });
const secret = (from) => ({
  ...header(() => ({ alg: 'HS512' })),
  token: (head, claims, context) => keyed(head, claims, from(context)),
});
const changed = (change) => ({ token: async (head, claims, { keys }) => change(await signed(head, claims, keys.signing)) });
const raw = (change) => ({
  token: (head, claims, { keys }) => signedRaw(head, change(JSON.stringify(claims)), keys.signing),
});
// The later member of the two counts in a lax parser, the earlier one in a broken one.
const twice = (name, value) => raw((text) => text.replace(/\}$/, `,${JSON.stringify(name)}:${JSON.stringify(value)}}`));
const sendBody = (status, type, body) => ({
  send: (answer) => {
    answer.writeHead(status, { 'content-type': type });
    answer.end(body);
  },
});
const sendUserinfo = (status, type, body) => ({
  sendUserinfo: (answer) => {
    answer.writeHead(status, { 'content-type': type });
    answer.end(body);
  },
});

const accepted = (about, change = {}) => ({ expect: 'accepted', reasons: [], about, ...change });
const refused = (reasons, about, change) => ({ expect: 'refused', reasons: [reasons].flat(), about, ...change });

const VECTORS_OF_LOW_TRUST = ['P5.Cp.Cd', 'P5.Cp', 'P0.Cp', 'P0.Ck'];
const notAskedFor = ({ attempt }) => VECTORS_OF_LOW_TRUST.find((vector) => !attempt.vtr.includes(vector));
const yearsAgo = (years) => ({ now }) => new Date((now - years * YEAR) * 1000).toISOString().slice(0, 10);

export const CASES = {
  control: accepted('nothing is wrong'),
  typ_absent: accepted('the national provider sends no typ', { header: without('typ') }),

  // The algorithm.
  alg_none: refused('id_token_alg', 'alg none and no signature', { token: (_, claims) => unsigned(claims) }),
  alg_none_with_signature: refused('id_token_alg', 'alg none, a right signature left in place', changed((token) => withHeader(token, { alg: 'none' }))),
  alg_none_mixed_case: refused(['id_token_alg', 'id_token_malformed'], 'alg nOnE and no signature', changed((token) => `${withHeader(token, { alg: 'nOnE' }).split('.').slice(0, 2).join('.')}.`)),
  alg_missing: refused(['id_token_malformed', 'id_token_alg'], 'no alg at all', { token: ({ alg, ...head }, claims, { keys }) => signedUnder(JSON.stringify(head), claims, keys.signing) }),
  alg_twice: refused(['id_token_malformed', 'id_token_alg'], 'alg RS512 and then none in one header, rightly signed', { token: (head, claims, { keys }) => signedUnder(`{"alg":"RS512","kid":${JSON.stringify(head.kid)},"alg":"none"}`, claims, keys.signing) }),
  hs512_public_pem: refused('id_token_alg', 'HS512, the secret being the public key as PEM', secret(({ keys }) => Buffer.from(keys.signing.pem))),
  hs512_jwk_modulus: refused('id_token_alg', 'HS512, the secret being n of the JWK', secret(({ keys }) => Buffer.from(keys.signing.jwk.n, 'base64url'))),
  hs512_client_id: refused('id_token_alg', 'HS512, the secret being the client id', secret(({ clientId }) => Buffer.from(clientId.padEnd(64, '\0')))),
  hs512_empty_secret: refused('id_token_alg', 'HS512 with an empty secret: we hold none', secret(() => Buffer.alloc(0))),
  rs256_right_key: refused('id_token_alg', 'RS256 by the right key', algorithm('RS256')),
  rs384_right_key: refused('id_token_alg', 'RS384 by the right key', algorithm('RS384')),
  ps512_right_key: refused('id_token_alg', 'PS512 by the right key', algorithm('PS512')),
  es512_unknown_key: refused('id_token_alg', 'ES512 by a key of its own', { ...header(({ keys }) => ({ alg: 'ES512', kid: keys.curve.kid })), token: (head, claims, { keys }) => signed(head, claims, keys.curve) }),

  // The key.
  wrong_key_same_kid: refused('id_token_signature', 'another key under the right kid', byAttacker),
  kid_unknown: refused('id_token_key_unknown', 'another key under its own kid', { ...header(({ keys }) => ({ kid: keys.attacker.kid })), ...byAttacker }),
  kid_unknown_right_key: refused('id_token_key_unknown', 'the right key under a kid nobody published', header(() => ({ kid: 'nobody-published-this' }))),
  kid_random: refused('id_token_key_unknown', 'a kid made up for this token alone', header(() => ({ kid: randomUUID() }))),
  kid_absent: accepted('no kid, one key published', { header: without('kid') }),
  kid_absent_two_keys: accepted('no kid, two keys published, the second signed', { fresh: true, keys: ({ second, signing }) => [second, signing], header: without('kid') }),
  kid_absent_no_key_fits: refused('id_token_signature', 'no kid, a key that is not published', { header: without('kid'), ...byAttacker }),
  kid_path: refused('id_token_key_unknown', 'a kid that climbs directories', header(() => ({ kid: '../../x' }))),
  kid_empty: refused(['id_token_key_unknown', 'id_token_malformed'], 'an empty kid', header(() => ({ kid: '' }))),
  kid_huge: refused(['id_token_key_unknown', 'id_token_malformed'], 'a kid of 8 KiB', header(() => ({ kid: 'k'.repeat(8192) }))),
  kid_of_encryption_key: refused(['id_token_key_unknown', 'id_token_signature'], 'signed by a key published for encryption', { fresh: true, keys: ({ signing, encryption }) => [signing, encryption], ...header(({ keys }) => ({ kid: keys.encryption.kid })), token: (head, claims, { keys }) => signed(head, claims, keys.encryption) }),
  jku_attacker: refused('id_token_key_unknown', 'jku names a key set of the attacker', { ...header(({ keys, issuer }) => ({ kid: keys.attacker.kid, jku: `${issuer}/attacker/jwks` })), ...byAttacker }),
  jku_ignored: accepted('a jku beside a right signature is not looked at', header(({ issuer }) => ({ jku: `${issuer}/attacker/jwks` }))),
  x5u_attacker: refused('id_token_signature', 'x5u names a certificate of the attacker', { ...header(({ issuer }) => ({ x5u: `${issuer}/attacker/certificate` })), ...byAttacker }),
  jwk_embedded: refused('id_token_signature', 'the key comes with the token', { ...header(({ keys }) => ({ jwk: keys.attacker.jwk })), ...byAttacker }),
  crit_unknown: refused('id_token_header', 'a critical header nobody knows', header(() => ({ crit: ['urn:unknown'], 'urn:unknown': true }))),
  typ_logout: refused('id_token_header', 'a logout token is no id token', header(() => ({ typ: 'logout+jwt' }))),
  typ_access_token: refused('id_token_header', 'an access token is no id token', header(() => ({ typ: 'at+jwt' }))),

  // From whom, for whom.
  iss_wrong: refused('id_token_issuer', 'another issuer', claim('iss', 'https://issuer.example')),
  iss_trailing_slash: refused('id_token_issuer', 'the issuer with a slash', claim('iss', ({ issuer }) => `${issuer}/`)),
  iss_missing: refused(['id_token_malformed', 'id_token_issuer'], 'no issuer', lacking('iss')),
  aud_wrong: refused('id_token_audience', 'for another client', claim('aud', 'another-client')),
  aud_extra: refused('id_token_audience', 'for us and another', { claims: (claims, { clientId }) => ({ ...claims, aud: [clientId, 'another-client'], azp: clientId }) }),
  aud_missing: refused(['id_token_audience', 'id_token_malformed'], 'for nobody', lacking('aud')),
  aud_array: accepted('an array of us alone', claim('aud', ({ clientId }) => [clientId])),
  azp_wrong: refused('id_token_authorized_party', 'given to another client', claim('azp', 'another-client')),
  azp_right: accepted('given to us', claim('azp', ({ clientId }) => clientId)),

  // When.
  exp_past: refused('id_token_expired', 'ended two minutes ago', { claims: (claims, { now }) => ({ ...claims, iat: now - 4 * MINUTE, exp: now - 2 * MINUTE }) }),
  exp_within_skew: accepted('ended half a minute ago: clocks differ', { claims: (claims, { now }) => ({ ...claims, iat: now - 4 * MINUTE, exp: now - 30 }) }),
  exp_missing: refused('id_token_malformed', 'never ends', lacking('exp')),
  exp_far: refused('id_token_lifetime', 'good for ten years', claim('exp', ({ now }) => now + 10 * YEAR)),
  iat_future: refused('id_token_issued_at', 'issued in ten minutes', claim('iat', ({ now }) => now + 10 * MINUTE)),
  iat_past: refused('id_token_issued_at', 'issued ten minutes ago', claim('iat', ({ now }) => now - 10 * MINUTE)),
  iat_missing: refused('id_token_malformed', 'never issued', lacking('iat')),
  nbf_future: refused('id_token_not_before', 'good in ten minutes', claim('nbf', ({ now }) => now + 10 * MINUTE)),
  auth_time_future: refused('id_token_auth_time', 'signed in in ten minutes', claim('auth_time', ({ now }) => now + 10 * MINUTE)),

  // For which attempt, about whom.
  nonce_wrong: refused('id_token_nonce', 'another nonce', claim('nonce', 'another-nonce')),
  nonce_missing: refused('id_token_nonce', 'no nonce', lacking('nonce')),
  id_token_of_earlier_attempt: refused('id_token_nonce', 'the id token of an earlier attempt for the code of this one', { token: (head, claims, { earlier, keys, now }) => earlier ?? signed(head, { ...claims, nonce: 'of-an-earlier-attempt', iat: now - 2 * MINUTE }, keys.signing) }),
  sub_missing: refused('id_token_malformed', 'about nobody', lacking('sub')),
  sub_empty: refused('id_token_subject', 'an empty subject, at userinfo too', both('sub', '')),
  sub_too_long: refused('id_token_subject', 'a subject of 256 characters, at userinfo too', both('sub', 's'.repeat(256))),

  // How sure.
  vot_missing: refused('vot_missing', 'no vector of trust', lacking('vot')),
  vot_empty: refused('vot_malformed', 'an empty vector', claim('vot', '')),
  vot_not_text: refused('vot_malformed', 'an array of vectors', claim('vot', ['P9.Cp.Cd'])),
  vot_not_requested: refused('vot_not_requested', 'a lower vector than any that was asked for', claim('vot', notAskedFor)),
  vot_component_missing: refused('vot_not_requested', 'P9 by password alone', claim('vot', 'P9.Cp')),
  vot_component_repeated: refused('vot_malformed', 'the same component twice', claim('vot', 'P9.Cp.Cp.Cd')),
  vot_two_levels: refused('vot_malformed', 'two levels in one vector', claim('vot', 'P0.P9.Cp.Cd')),
  vot_level_unknown: refused('vot_malformed', 'a level nobody defined', claim('vot', 'P7.Cp.Cd')),
  vot_reordered: accepted('the order of components says nothing', claim('vot', 'P9.Cd.Cp')),
  vot_passkey: accepted('P9 with a passkey', claim('vot', 'P9.Cm')),
  proofing_level_lower: accepted('this sign-in is stronger than the proof of identity', { ...both('identity_proofing_level', 'P5'), assurance: 'P5' }),
  proofing_level_missing: accepted('identity was never proved', { ...lacking('identity_proofing_level'), userinfo: without('identity_proofing_level'), assurance: 'P0' }),
  proofing_level_malformed: refused('proofing_level_malformed', 'a level nobody defined', both('identity_proofing_level', 'P10')),
  proofing_level_contradicted: refused('proofing_level_contradicted', 'userinfo says otherwise', { userinfo: claim('identity_proofing_level', 'P5').claims }),

  // The token as bytes.
  payload_tampered: refused('id_token_signature', 'another NHS number put in after signing', changed((token) => withClaims(token, { nhs_number: ANOTHER_NUMBER }))),
  // Cut where base64 has no bits left over, so that the signature can still be read.
  signature_truncated: refused('id_token_signature', 'part of the signature is missing', changed((token) => token.slice(0, -14))),
  signature_empty: refused(['id_token_signature', 'id_token_alg'], 'RS512 and no signature', changed((token) => token.slice(0, token.lastIndexOf('.') + 1))),
  token_two_parts: refused('id_token_malformed', 'no third part', changed((token) => token.slice(0, token.lastIndexOf('.')))),
  token_five_parts: refused(['id_token_alg', 'id_token_malformed'], 'encrypted', { token: (_, claims, { keys }) => encrypted(claims, keys.encryption) }),
  token_empty: refused('id_token_malformed', 'an empty text', { token: async () => '' }),
  claims_not_json: refused('id_token_malformed', 'rightly signed, but not JSON', raw((text) => text.slice(0, -1))),
  claims_nested: refused('id_token_malformed', 'rightly signed, nested ten thousand deep', raw((text) => text.replace(/\}$/, `,"deep":${'['.repeat(10_000)}${']'.repeat(10_000)}}`))),
  // RFC 7519, 4: names are unique; a reader refuses, or takes the last. The last is another person here.
  claims_sub_twice: refused(['id_token_malformed', 'userinfo_subject'], 'two subjects', twice('sub', 'somebody-else')),
  claims_nhs_number_twice: refused(['id_token_malformed', 'nhs_number_contradicted'], 'two NHS numbers', twice('nhs_number', ANOTHER_NUMBER)),

  // The answer to the token request.
  token_answer_huge: refused('token_malformed', '300 KiB', { answer: (answer) => ({ ...answer, filler: 'x'.repeat(300 * 1024) }) }),
  token_answer_not_json: refused('token_malformed', 'not JSON', sendBody(200, 'application/json', 'id_token=none')),
  token_answer_array: refused('token_malformed', 'JSON, but no object', sendBody(200, 'application/json', '[]')),
  token_answer_empty: refused('token_malformed', 'nothing', sendBody(200, 'application/json', '')),
  token_answer_without_id_token: refused(['id_token_missing', 'token_malformed'], 'no id token', { answer: without('id_token') }),
  token_answer_without_access_token: refused('token_malformed', 'no access token', { answer: without('access_token') }),
  token_answer_without_type: refused('token_malformed', 'no token type', { answer: without('token_type') }),
  token_type_not_bearer: refused(['token_type', 'token_malformed'], 'a token type we do not know how to use (RFC 6749, 7.1)', { answer: (answer) => ({ ...answer, token_type: 'DPoP' }) }),
  access_token_with_line_break: refused('access_token_malformed', 'an access token that would add a header', { answer: (answer) => ({ ...answer, access_token: 'a\r\nx-injected: 1' }) }),

  // Userinfo.
  userinfo_sub_swapped: refused('userinfo_subject', 'about somebody else', { userinfo: claim('sub', 'somebody-else').claims }),
  userinfo_sub_missing: refused(['userinfo_malformed', 'userinfo_subject'], 'about nobody', { userinfo: without('sub') }),
  userinfo_nhs_number_other: refused('nhs_number_contradicted', 'another NHS number than the id token has', { userinfo: claim('nhs_number', ANOTHER_NUMBER).claims }),
  userinfo_birthdate_other: refused('birthdate_contradicted', 'another date of birth than the id token has', { userinfo: claim('birthdate', '1970-01-01').claims }),
  userinfo_not_json: refused('userinfo_malformed', 'not JSON', sendUserinfo(200, 'application/json', '<sub>')),
  userinfo_signed: refused('userinfo_malformed', 'a JWT where plain JSON was asked for', sendUserinfo(200, 'application/jwt', `${encoded('{"alg":"none"}')}.${encoded('{}')}.`)),
  userinfo_refused: refused('userinfo_refused', 'the access token is not taken', sendUserinfo(401, 'application/json', '{"error":"invalid_token"}')),

  // What it says about the person, the same in both answers.
  nhs_number_check_digit: refused('nhs_number_invalid', 'a wrong check digit', both('nhs_number', '9990000019')),
  nhs_number_not_digits: refused('nhs_number_invalid', 'letters', both('nhs_number', '999000001O')),
  nhs_number_not_text: refused('nhs_number_invalid', 'a number, not a text', both('nhs_number', 9990000018)),
  birthdate_invalid: refused('birthdate_invalid', 'a day there never was', both('birthdate', '1990-02-30')),
  birthdate_year_alone: refused('birthdate_invalid', 'a year alone', both('birthdate', '1990')),
  birthdate_missing: refused('birthdate_missing', 'an NHS number and no date of birth', { ...lacking('birthdate'), userinfo: without('birthdate') }),
  under_age: refused('under_age', 'ten years old', both('birthdate', yearsAgo(10))),
};

/** What the ready line says about each. */
export function described() {
  return Object.entries(CASES).map(([name, { expect, reasons, about, assurance, fresh }]) => ({
    name,
    expect,
    reason: reasons[0] ?? null,
    reasons,
    assurance: expect === 'accepted' ? (assurance ?? 'P9') : null,
    fresh: fresh ?? false,
    about,
  }));
}
