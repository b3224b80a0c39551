// Making id tokens, right and wrong. jose does what jose agrees to do; what no right library makes is put together by hand.

import { createHmac, createPrivateKey, sign } from 'node:crypto';

import { CompactEncrypt, CompactSign, importJWK, SignJWT, UnsecuredJWT } from 'jose';

export const encoded = (value) => Buffer.from(value).toString('base64url');

/** Signs `claims` with the private part of `key` under any algorithm jose knows. */
export async function signed(header, claims, key) {
  const options = header.crit === undefined ? {} : { crit: Object.fromEntries(header.crit.map((it) => [it, false])) };
  return new SignJWT(claims).setProtectedHeader(header).sign(await importJWK(key.privateJwk, header.alg), options);
}

/** Signs bytes as they are, so that they need not be what an encoder of JSON would write. */
export async function signedRaw(header, payload, key) {
  return new CompactSign(Buffer.from(payload)).setProtectedHeader(header).sign(await importJWK(key.privateJwk, header.alg));
}

/** Signs with a shared secret. jose refuses an empty one, so node does it. */
export async function keyed(header, claims, secret) {
  if (secret.length > 0) return new SignJWT(claims).setProtectedHeader(header).sign(new Uint8Array(secret));
  const input = `${encoded(JSON.stringify(header))}.${encoded(JSON.stringify(claims))}`;
  return `${input}.${createHmac('sha512', secret).update(input).digest('base64url')}`;
}

/** RS512 over a header given as text: jose would not write it. */
export async function signedUnder(headerText, claims, key) {
  const input = `${encoded(headerText)}.${encoded(JSON.stringify(claims))}`;
  const priv = createPrivateKey({ key: key.privateJwk, format: 'jwk' });
  return `${input}.${sign('sha512', Buffer.from(input), priv).toString('base64url')}`;
}

/** `alg: none` as the standard has it: an empty third part. */
export function unsigned(claims) {
  return new UnsecuredJWT(claims).encode();
}

/** A token in five parts, as it is when encrypted. */
export async function encrypted(claims, key) {
  return new CompactEncrypt(Buffer.from(JSON.stringify(claims)))
    .setProtectedHeader({ alg: 'RSA-OAEP-256', enc: 'A256GCM', kid: key.kid })
    .encrypt(await importJWK(key.jwk, 'RSA-OAEP-256'));
}

/** The same token with another header. */
export function withHeader(token, header) {
  const [, payload, signature] = token.split('.');
  return [encoded(JSON.stringify(header)), payload, signature].join('.');
}

/** The same token with claims changed after it was signed. */
export function withClaims(token, change) {
  const [header, payload, signature] = token.split('.');
  const claims = { ...JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')), ...change };
  return [header, encoded(JSON.stringify(claims)), signature].join('.');
}
