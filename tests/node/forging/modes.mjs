// How an endpoint misbehaves as a whole, whatever the case. `normal` is the absence of all this.

const KIB = 1024;

function body(status, type, text) {
  return (answer) => {
    answer.writeHead(status, { 'content-type': type });
    answer.end(text);
  };
}

const page = '<!doctype html><title>Bad gateway</title><h1>Bad gateway</h1>';

/** Faults any endpoint that is asked by the relying party can have. Each gets (answer, issuer). */
export const FAULTS = {
  500: body(500, 'application/json', '{"error":"server_error"}'),
  503: body(503, 'text/plain', 'busy'),
  429: body(429, 'application/json', '{"error":"slow_down"}'),
  404: body(404, 'text/plain', 'not here'),
  error_html: body(502, 'text/html', page),
  html: body(200, 'text/html', page),
  garbage: body(200, 'application/json', Buffer.from([0xff, 0xfe, 0x00, 0x7b, 0x22, 0x80])),
  empty: body(200, 'application/json', ''),
  oversize: body(200, 'application/json', `{"filler":"${'x'.repeat(300 * KIB)}"}`),
  // Must not be followed: what lies there is counted.
  redirect: (answer, issuer) => {
    answer.writeHead(302, { location: `${issuer}/redirected` });
    answer.end();
  },
  // Never answers.
  hang: () => {},
  // A byte a second: each read is quick, the whole is not.
  trickle: (answer) => {
    answer.writeHead(200, { 'content-type': 'application/json' });
    const drip = setInterval(() => answer.write(' '), 1000);
    answer.once('close', () => clearInterval(drip));
  },
  // Closes the connection without a word.
  close: (answer) => answer.destroy(),
  // Says that more comes, and closes.
  cut_short: (answer) => {
    answer.writeHead(200, { 'content-type': 'application/json', 'content-length': '1000' });
    answer.write('{"partial":', () => answer.destroy());
  },
};

/** Documents that are well formed and must change nothing, or be refused. Each gets (document, issuer). */
export const DISCOVERIES = {
  // RS512 stays the only one.
  other_algs: (document) => ({ ...document, id_token_signing_alg_values_supported: ['RS256', 'none', 'HS512'] }),
  other_issuer: (document) => ({ ...document, issuer: 'https://issuer.example' }),
  issuer_slash: (document, issuer) => ({ ...document, issuer: `${issuer}/` }),
  // What a production deployment refuses.
  simulator: (document) => ({ ...document, simulator: true }),
  no_token_endpoint: ({ token_endpoint: gone, ...document }) => document,
  no_userinfo_endpoint: ({ userinfo_endpoint: gone, ...document }) => document,
  file_endpoint: (document) => ({ ...document, token_endpoint: 'file:///etc/hostname' }),
};

/** Key sets other than the right one. Each gets the keys. */
export const KEY_SETS = {
  two_keys: ({ second, signing }) => [second.jwk, signing.jwk],
  no_keys: () => [],
  encryption_only: ({ encryption }) => [encryption.jwk],
  // The right key comes last, beyond any number worth trying.
  many_keys: ({ second, signing }) => [
    ...Array.from({ length: 200 }, (_, index) => ({ ...second.jwk, kid: `filler-${index}` })),
    signing.jwk,
  ],
};

/** Refusals of the token endpoint in the words of RFC 6749. */
export const TOKEN_REFUSALS = {
  invalid_client: body(400, 'application/json', '{"error":"invalid_client"}'),
  invalid_grant: body(400, 'application/json', '{"error":"invalid_grant"}'),
  invalid_request: body(400, 'application/json', '{"error":"invalid_request"}'),
};

const refusal = (error, description) => () => ({ error, error_description: description });

/** What comes back instead of a code; each gets the right parameters and the issuer. */
export const CALLBACKS = {
  consent_refused: refusal('access_denied', 'ConsentNotGiven'),
  consent_refused_without_error: () => ({ error_description: 'ConsentNotGiven' }),
  access_denied: refusal('access_denied', 'The person cancelled'),
  login_required: refusal('login_required', ''),
  invalid_request: refusal('invalid_request', 'The request was not understood'),
  invalid_scope: refusal('invalid_scope', 'A scope is not known'),
  server_error: refusal('server_error', 'Something went wrong'),
  temporarily_unavailable: refusal('temporarily_unavailable', 'Try again later'),
  markup: refusal('access_denied', '<script>alert(1)</script>'),
  with_issuer: (right, issuer) => ({ ...right, iss: issuer }),
  wrong_issuer: (right) => ({ ...right, iss: 'https://issuer.example' }),
  state_wrong: (right) => ({ ...right, state: 'of-nobody' }),
  state_missing: (right) => ({ ...right, state: undefined }),
  code_missing: (right) => ({ ...right, code: undefined }),
  code_unknown: (right) => ({ ...right, code: 'never-issued' }),
};

/** Every mode there is, by what it applies to. */
export const MODES = {
  discovery: ['normal', ...Object.keys(FAULTS), ...Object.keys(DISCOVERIES)],
  jwks: ['normal', ...Object.keys(FAULTS), ...Object.keys(KEY_SETS)],
  callback: ['normal', ...Object.keys(CALLBACKS)],
  token: ['normal', ...Object.keys(FAULTS), ...Object.keys(TOKEN_REFUSALS)],
  userinfo: ['normal', ...Object.keys(FAULTS)],
};
