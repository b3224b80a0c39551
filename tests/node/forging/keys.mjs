// The keys a forging provider has: its own, and those an attacker could have.

import { randomUUID } from 'node:crypto';

import { exportJWK, exportSPKI, generateKeyPair } from 'jose';

async function pair(alg, kid) {
  const made = await generateKeyPair(alg, { modulusLength: 2048, extractable: true });
  const jwk = { ...(await exportJWK(made.publicKey)), kid, use: 'sig', alg };
  return { kid, jwk, privateJwk: await exportJWK(made.privateKey), publicKey: made.publicKey };
}

/** A key the provider signs with. The PEM is what an algorithm confusion attack uses as its secret. */
export async function signingKey() {
  const made = await pair('RS512', `signing-${randomUUID()}`);
  return { ...made, pem: await exportSPKI(made.publicKey) };
}

/** Everything but the signing key, once for the life of the process. */
export async function otherKeys() {
  const [attacker, curve, second, encryption] = await Promise.all([
    pair('RS512', `attacker-${randomUUID()}`),
    pair('ES512', `curve-${randomUUID()}`),
    pair('RS512', `second-${randomUUID()}`),
    pair('RS512', `encryption-${randomUUID()}`),
  ]);
  const { alg, ...publicPart } = encryption.jwk;
  encryption.jwk = { ...publicPart, use: 'enc', alg: 'RSA-OAEP-256' };
  return { attacker, curve, second, encryption };
}
