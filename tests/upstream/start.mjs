#!/usr/bin/env node
// Starts real Supabase-compatible servers: @supabase/lite on one private PostgreSQL.
//
//   node_modules/.bin/node start.mjs [--servers 2] [--more FILE.sql] [--schemas public,api]     (or any node from 22 on)
//
// Each server has a database of its own, all with the same schema and rows; `--more` adds to all of them. Prints one line
// of JSON when all of them answer: {"servers": ["http://127.0.0.1:…", …], "databases": ["postgres://…", …],
// "publishableKey", "secretKey", "jwtSecret"}.
// Runs until its standard input ends, SIGINT or SIGTERM; then nothing that it started is left.
// The packages, Node among them, come from `npm ci` in this folder (scripts/test does that).
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';

const here = import.meta.dirname;
const { values: options } = parseArgs({
  options: { servers: { type: 'string', default: '1' }, more: { type: 'string' }, schemas: { type: 'string', default: 'public' } },
});

// For a slow machine under load; a healthy one needs a few seconds for everything.
const START_MS_MAX = 120_000;
const keys = {
  publishableKey: 'sb_publishable_larder_tests_0000000000',
  secretKey: 'sb_secret_larder_tests_0000000000000000',
  jwtSecret: 'larder-tests-jwt-secret-of-at-least-32-characters',
};
const runDir = fs.mkdtempSync(path.join(os.tmpdir(), 'larder-upstream-'));

// Processes ---------------------------------------------------------------------------------------

const running = []; // what to end, in the order of starting

async function end(code, reason) {
  if (reason) console.error(reason);
  for (const { child, signal } of running.splice(0).reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill(signal);
    await once(child, 'exit');
  }
  fs.rmSync(runDir, { recursive: true, force: true });
  process.exit(code);
}

/** Runs a server until `end`, which sends it `signal`; so does the kernel, should this process be killed. */
function serve(name, signal, command, settings) {
  const log = path.join(runDir, `${name}.log`);
  const output = fs.openSync(log, 'a');
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', output, output], ...settings });
  const entry = { child, signal };
  running.push(entry);
  child.on('error', (error) => end(1, `${name}: ${error.message}`));
  child.on('exit', () => running.includes(entry) && end(1, `${name} stopped:\n${fs.readFileSync(log)}`));
}
const endedBy = (signal, command) => ['setpriv', '--pdeathsig', signal, ...command];

/** Runs a command to its end; fails with what it printed. */
async function run(command, settings) {
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'pipe', 'pipe'], ...settings });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`${command.join(' ')} ended with ${code}:\n${output}`);
}

async function until(what, ready) {
  const deadline = Date.now() + START_MS_MAX;
  while (!(await ready().catch(() => false))) {
    if (Date.now() > deadline) throw new Error(`waited ${START_MS_MAX / 1000} s for ${what}`);
    await pause(50);
  }
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

// PostgreSQL --------------------------------------------------------------------------------------

function postgresFolder() {
  const debian = '/usr/lib/postgresql';
  const versions = fs.existsSync(debian) ? fs.readdirSync(debian).sort((a, b) => b - a) : [];
  const folders = [...versions.map((v) => path.join(debian, v, 'bin')), ...process.env.PATH.split(':')];
  const found = folders.find((folder) => fs.existsSync(path.join(folder, 'initdb')));
  if (!found) throw new Error('PostgreSQL is missing: apt-get install postgresql');
  return found;
}

/** Starts a PostgreSQL of our own; `sql` and `script` run statements in it, `url` names one of its databases. */
async function startPostgres() {
  const bin = postgresFolder();
  const data = path.join(runDir, 'postgres', 'data');
  // PostgreSQL refuses to run as root.
  const asPostgres = process.getuid() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups'] : [];
  fs.mkdirSync(path.dirname(data));
  fs.chmodSync(runDir, 0o755);
  if (asPostgres.length) await run(['chown', 'postgres', path.dirname(data)]);
  await run([...asPostgres, `${bin}/initdb`, '-D', data, '-U', 'postgres', '--auth=trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync'], { cwd: '/' });

  const port = await freePort();
  // Nothing here outlives the run, so nothing needs to reach the disk. New statistics would change plans,
  // and with them the order of rows for which nobody asked.
  const parameters = { listen_addresses: '127.0.0.1', port, unix_socket_directories: '', fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', autovacuum: 'off', client_min_messages: 'warning' };
  const flags = Object.entries(parameters).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  serve('postgres', 'SIGINT', [...asPostgres, ...endedBy('INT', [`${bin}/postgres`, '-D', data, ...flags])], { cwd: '/' });

  const url = (database) => `postgres://postgres@127.0.0.1:${port}/${database}`;
  const psql = (database, ...what) => run([`${bin}/psql`, '-X', '-q', '-v', 'ON_ERROR_STOP=1', ...what, url(database)]);
  const sql = (statement) => psql('postgres', '-c', statement);
  await until('PostgreSQL', () => sql('select 1').then(() => true));
  return { url, sql, script: (database, file) => psql(database, '-f', file) };
}

// Supabase Lite -----------------------------------------------------------------------------------

const configuration = (port, databaseUrl) => `
[api]
port = ${port}
schemas = ${JSON.stringify(options.schemas.split(','))}
extra_search_path = ["public", "extensions"]
max_rows = 1000

[db]
driver = "postgres"
url = "${databaseUrl}"

[db.migrations]
schema_paths = []

[db.seed]
sql_paths = ["./seed.sql"]

[auth]
enabled = true
jwt_secret = "${keys.jwtSecret}"
jwt_expiry = 3600
enable_signup = true
publishable_key = "${keys.publishableKey}"
secret_key = "${keys.secretKey}"

[auth.email]
enable_confirmations = false

[storage]
enabled = true
file_size_limit = "50MiB"

# Otherwise every unknown path answers 200 with a page of the studio.
[studio]
enabled = false
`;

/** A command of Lite. */
function lite(...args) {
  const script = path.join(here, 'node_modules/@supabase/lite/dist/cli/index.js');
  if (!fs.existsSync(script)) throw new Error(`${script} is missing: run scripts/test, or npm ci in ${here}`);
  return [process.execPath, script, ...args];
}
const liteEnvironment = { ...process.env, LITE_TELEMETRY: '0', DO_NOT_TRACK: '1', EXPERIMENTAL_STORAGE: '1' };

/** A Supabase project folder, as `supabase init` lays it out. */
function project(name, port, databaseUrl) {
  const folder = path.join(runDir, name);
  const inside = path.join(folder, 'supabase');
  fs.mkdirSync(path.join(inside, 'migrations'), { recursive: true });
  fs.writeFileSync(path.join(inside, 'config.toml'), configuration(port, databaseUrl));
  fs.copyFileSync(path.join(here, 'schema.sql'), path.join(inside, 'migrations/20250101000000_schema.sql'));
  fs.copyFileSync(path.join(here, 'seed.sql'), path.join(inside, 'seed.sql'));
  return folder;
}

async function startLite(name, databaseUrl) {
  const port = await freePort();
  const folder = project(name, port, databaseUrl);
  // --no-admin: otherwise whoever brings no key is the service role.
  const command = lite('start', '--no-admin', '--host', '127.0.0.1');
  serve(name, 'SIGTERM', endedBy('TERM', command), { cwd: folder, env: liteEnvironment });
  const address = `http://127.0.0.1:${port}`;
  const headers = { apikey: keys.publishableKey };
  await until(name, async () => (await fetch(`${address}/rest/v1/amenities`, { headers })).ok);
  return address;
}

// -------------------------------------------------------------------------------------------------

async function main() {
  const { url, sql, script } = await startPostgres();
  await sql('create database seeded');
  await run(lite('db', 'reset'), { cwd: project('seeded', 0, url('seeded')), env: liteEnvironment });
  if (options.more) await script('seeded', options.more);

  const names = Array.from({ length: Number(options.servers) }, (_, n) => `server${n}`);
  for (const name of names) await sql(`create database ${name} template seeded`);
  const servers = await Promise.all(names.map((name) => startLite(name, url(name))));
  // with no server there is still the database that all would be copied from
  const databases = (names.length ? names : ['seeded']).map(url);
  console.log(JSON.stringify({ servers, databases, ...keys }));
}

process.on('SIGINT', () => end(130));
process.on('SIGTERM', () => end(143));
process.stdin.on('end', () => end(0)).on('error', () => end(0)).resume();
main().catch((error) => end(1, error.message));
