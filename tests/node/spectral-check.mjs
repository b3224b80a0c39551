// Proves that the rules of api-spec/.spectral.yaml are alive: a right document passes, and each of its bad twins, wrong in one
// way, is reported by the rule meant for it.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const RULES = here('../../api-spec/.spectral.yaml');
const SPECTRAL = here('./node_modules/.bin/spectral');

const problem = () => ({
  description: 'Why not.',
  content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
});
const things = () => ({
  operationId: 'list_things',
  summary: 'The things',
  description: 'All things, newest first.',
  tags: ['things'],
  security: [{ session: [] }],
  parameters: [
    { name: 'limit', in: 'query', required: false, description: 'Most things.', schema: { type: 'integer' } },
    { name: 'filter', in: 'query', description: 'Which.', schema: { type: 'object', properties: { since: { type: 'string' } } } },
  ],
  responses: {
    200: {
      description: 'The things.',
      content: { 'application/json': { schema: { $ref: '#/components/schemas/Things' }, example: { things: ['one'] } } },
    },
    304: { description: 'They have not changed.' },
    401: problem(),
    503: problem(),
  },
});
const right = () => ({
  openapi: '3.1.0',
  info: { title: 'Things', version: '1.0.0', description: 'A document with nothing wrong in it.' },
  servers: [{ url: '/' }],
  tags: [{ name: 'things', description: 'Things.' }, { name: 'health', description: 'Health.' }],
  paths: {
    '/_ping': {
      get: {
        operationId: 'ping',
        summary: 'Alive?',
        description: 'Depends on nothing.',
        tags: ['health'],
        security: [],
        responses: { 200: { description: 'Alive.' }, default: problem() },
      },
    },
    '/v1/things': { get: things() },
    '/v1/things/{thing_id}': {
      parameters: [{ name: 'thing_id', in: 'path', required: true, description: 'Which.', schema: { type: 'string' } }],
      get: { ...things(), operationId: 'get_thing', parameters: [], responses: { ...things().responses, 404: problem() } },
    },
    '/auth/sign-out': {
      post: {
        operationId: 'sign_out',
        summary: 'Sign out',
        description: 'Ends the session.',
        tags: ['things'],
        security: [{ session: [] }],
        responses: { 303: { description: 'To the page that says so.' }, 403: problem() },
      },
    },
  },
  components: {
    securitySchemes: { session: { type: 'apiKey', in: 'cookie', name: '__Host-sid', description: 'The session.' } },
    schemas: {
      // A body may name people; a URL may not.
      Things: {
        type: 'object',
        required: ['things'],
        properties: { things: { type: 'array', items: { type: 'string', enum: ['one', 'two'] } }, name: { type: 'string' } },
      },
      Problem: { type: 'object', required: ['code'], properties: { code: { type: 'string' } }, example: { code: 'not_found' } },
    },
  },
});

// The rule that must report it, and what is broken.
const operation = (document) => document.paths['/v1/things'].get;
const moved = (document, path) => {
  document.paths[path] = document.paths['/v1/things'];
  delete document.paths['/v1/things'];
};
const renamed = (name) => (document) => {
  operation(document).parameters[0].name = name;
};
const TWINS = [
  ['oas3-schema', (it) => { delete it.info.title; }],
  ['oas3-operation-security-defined', (it) => { operation(it).security = [{ nothing: [] }]; }],
  ['oas3-valid-media-example', (it) => { operation(it).responses[200].content['application/json'].example = { things: 1 }; }],
  ['oas3-valid-schema-example', (it) => { it.components.schemas.Problem.example = { code: 1 }; }],
  ['oas3-unused-component', (it) => { it.components.schemas.Unused = { type: 'string' }; }],
  ['duplicated-entry-in-enum', (it) => { it.components.schemas.Things.properties.things.items.enum.push('one'); }],
  ['typed-enum', (it) => { it.components.schemas.Things.properties.things.items.enum.push(3); }],
  ['no-eval-in-markdown', (it) => { it.info.description = 'eval(1)'; }],
  ['no-script-tags-in-markdown', (it) => { it.info.description = '<script>1</script>'; }],
  ['openapi-tags-uniqueness', (it) => { it.tags.push(it.tags[0]); }],
  ['operation-operationId', (it) => { delete operation(it).operationId; }],
  ['operation-operationId-unique', (it) => { operation(it).operationId = 'ping'; }],
  ['operation-operationId-valid-in-url', (it) => { operation(it).operationId = 'two words'; }],
  ['operation-description', (it) => { delete operation(it).description; }],
  ['operation-parameters', (it) => { operation(it).parameters.push(operation(it).parameters[0]); }],
  ['operation-success-response', (it) => { operation(it).responses = { 401: problem() }; }],
  ['operation-tags', (it) => { delete operation(it).tags; }],
  ['operation-tag-defined', (it) => { operation(it).tags = ['undefined']; }],
  ['path-declarations-must-exist', (it) => moved(it, '/v1/things/{}')],
  ['path-keys-no-trailing-slash', (it) => moved(it, '/v1/things/')],
  ['path-not-include-query', (it) => moved(it, '/v1/things?all=true')],
  ['path-params', (it) => moved(it, '/v1/other/{other_id}')],
  // A parameter in the wrong place: what a missing `parameter_in` of utoipa does.
  ['path-params', (it) => { Object.assign(operation(it).parameters[0], { in: 'path', required: true }); }],
  ['front-door-openapi-version', (it) => { it.openapi = '3.0.3'; }],
  ['front-door-operation-summary', (it) => { operation(it).summary = ''; }],
  ['front-door-operation-tag', (it) => { operation(it).tags = []; }],
  ['front-door-operation-security', (it) => { delete operation(it).security; }],
  ['front-door-response-description', (it) => { operation(it).responses[304].description = ''; }],
  ['front-door-parameter-description', (it) => { delete operation(it).parameters[0].description; }],
  ['front-door-parameter-description', (it) => { it.paths['/v1/things/{thing_id}'].parameters[0].description = ''; }],
  ['front-door-error-is-a-problem', (it) => { delete operation(it).responses[503].content; }],
  ['front-door-error-is-a-problem', (it) => { operation(it).responses[401].content = { 'application/json': { schema: {} } }; }],
  ['front-door-error-is-a-problem', (it) => { operation(it).responses[401].content = { 'application/problem+json': {} }; }],
  ['front-door-error-is-a-problem', (it) => { delete it.paths['/_ping'].get.responses.default.content; }],
  ['front-door-path', (it) => moved(it, '/v2/things')],
  ['front-door-path', (it) => moved(it, '/v1/ManyThings')],
  ['front-door-path', (it) => moved(it, '/_ping/things')],
  ...['nhs_number', 'nhsNumber', 'NHS-Number', 'name', 'family_name', 'date_of_birth', 'dob', 'birthdate', 'patient_name', 'postcode'].map(
    (name) => ['front-door-nobody-in-a-parameter', renamed(name)],
  ),
  ['front-door-nobody-in-a-parameter', (it) => { it.paths['/v1/things/{thing_id}'].parameters[0].name = 'nhs_number'; }],
  ['front-door-nobody-in-a-parameter-object', (it) => { operation(it).parameters[1].schema.properties.nhs_number = { type: 'string' }; }],
  ['front-door-answer-schema', (it) => { delete operation(it).responses[200].content; }],
  ['front-door-answer-schema', (it) => { operation(it).responses[200].content = { 'application/json': {} }; }],
];

function lint(files) {
  const run = spawnSync(process.execPath, [SPECTRAL, 'lint', '--quiet', '--format', 'json', '--fail-severity', 'error', '--ruleset', RULES, ...files], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  assert.ok(run.status === 0 || run.status === 1, `spectral ended with ${run.status}\n${run.stderr}${run.stdout}`);
  // With nothing to report it adds a sentence after the list.
  const results = JSON.parse(run.stdout.slice(0, run.stdout.lastIndexOf(']') + 1));
  return { failed: run.status === 1, results };
}

const folder = await mkdtemp(join(tmpdir(), 'front-door-spectral-'));
try {
  const good = join(folder, 'good.json');
  await writeFile(good, JSON.stringify(right()));
  const clean = lint([good]);
  assert.deepEqual(clean.results.map((it) => `${it.code} at ${it.path.join('.')}`), []);
  assert.equal(clean.failed, false);

  const files = await Promise.all(
    TWINS.map(async ([, breakIt], index) => {
      const document = right();
      breakIt(document);
      const file = join(folder, `twin-${index}.json`);
      await writeFile(file, JSON.stringify(document));
      return file;
    }),
  );
  const bad = lint(files);
  assert.equal(bad.failed, true);
  TWINS.forEach(([rule], index) => {
    const found = bad.results.filter((it) => basename(it.source) === `twin-${index}.json`);
    const errors = found.filter((it) => it.severity === 0).map((it) => it.code);
    assert.ok(errors.includes(rule), `twin ${index}: ${rule} is silent; said: ${errors}`);
  });

  // Every rule has a twin.
  const named = [...(await readFile(RULES, 'utf8')).matchAll(/^ {2}([a-z][\w-]+):(?: error)?$/gm)].map((found) => found[1]);
  const proved = new Set(TWINS.map(([rule]) => rule));
  assert.ok(named.length > 20);
  assert.deepEqual(named.filter((rule) => !proved.has(rule)), []);
} finally {
  await rm(folder, { recursive: true });
}
console.log(`spectral-check: one right document passes, ${TWINS.length} bad twins are reported`);
