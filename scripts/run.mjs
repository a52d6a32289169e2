// Starts everything of this repository on a fresh machine. It runs on the Node that is there (20 or newer) with nothing installed, brings
// node_modules in line with package-lock.json, and goes on under the Node 24 that comes with it:
//   node scripts/run.mjs cli <arguments>            dist/cli.js
//   node scripts/run.mjs script <name> <arguments>  scripts/<name>.ts, by type stripping
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)))
const modules = path.join(root, 'node_modules')
const stampFile = path.join(modules, '.k8s-platform-lock')

const [mode, ...rest] = process.argv.slice(2)
const target = targetOf(mode, rest)
if (target === undefined) {
  fail('usage: node scripts/run.mjs cli <arguments> | script <name> <arguments>')
}
installModules()
run(node24(), target)

/** @returns {string[] | undefined} file and its arguments */
function targetOf(mode, rest) {
  if (mode === 'cli') return [path.join(root, 'dist', 'cli.js'), ...rest]
  const [name, ...args] = rest
  if (mode !== 'script' || name === undefined || !/^[a-z0-9-]+$/.test(name)) return undefined
  return [path.join(root, 'scripts', `${name}.ts`), ...args]
}

function installModules() {
  const lock = readText(path.join(root, 'package-lock.json'))
  if (lock === undefined) fail('package-lock.json is missing: this is not a whole checkout')
  if (readText(stampFile) === stamp(lock)) return
  if (!installedAs(lock)) {
    process.stderr.write('installing the locked npm packages (npm ci), once\n')
    // A half-done install must not look finished to the next run.
    rmSync(stampFile, { force: true })
    const npm = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: root,
      stdio: ['ignore', 2, 2],
      env: withoutNpmSettings(process.env),
    })
    if (npm.error !== undefined) fail(`npm cannot be started: ${npm.error.message}; install npm, it comes with Node`)
    if (npm.status !== 0) fail('npm ci failed; its message is above')
  }
  writeFileSync(stampFile, stamp(lock))
}

/** Changes whenever another install is needed: another lock, or the same folder seen from another kind of machine. */
function stamp(lock) {
  return `${process.platform}-${process.arch} ${createHash('sha256').update(lock).digest('hex')}\n`
}

/** True when npm's own record of what lies in node_modules agrees with the lock, so that somebody's `npm ci` is not done twice. */
function installedAs(lock) {
  const record = readText(path.join(modules, '.package-lock.json'))
  if (record === undefined) return false
  const installed = JSON.parse(record).packages
  return Object.entries(JSON.parse(lock).packages).every(([name, entry]) => {
    if (name === '') return true
    const found = installed[name]
    // Optional packages of other platforms are left out by npm; ours must be there, which node24() checks.
    if (found === undefined) return entry.optional === true || entry.devOptional === true || entry.peer === true
    return found.version === entry.version && found.integrity === entry.integrity
  })
}

function node24() {
  const folder = path.join(modules, `node-${process.platform}-${process.arch}`, 'bin')
  if (existsSync(path.join(folder, 'node'))) return folder
  // Only linux-x64 and linux-arm64 come as packages; elsewhere the Node that runs this serves if it is new enough.
  if (Number(process.versions.node.split('.')[0]) >= 24) return path.dirname(process.execPath)
  fail(`no Node 24 for ${process.platform} ${process.arch} in node_modules; run this with Node 24 or newer`)
}

function run(folder, [file, ...args]) {
  if (!existsSync(file)) fail(`${path.relative(root, file)} does not exist`)
  const child = spawn(path.join(folder, 'node'), [file, ...args], {
    stdio: 'inherit',
    env: { ...process.env, PATH: `${folder}${path.delimiter}${process.env.PATH ?? ''}` },
  })
  // A terminal signals the whole group, a supervisor only this process. The child decides how to end; a second copy of the signal
  // within the same moment must not look to it like a person's second Ctrl-C, so a terminal's are not forwarded.
  const fromTerminal = process.stdin.isTTY === true
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      if (!(fromTerminal && signal === 'SIGINT')) child.kill(signal)
    })
  }
  child.on('error', (error) => fail(`${folder}/node cannot be started: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code)
    // Ends as the child did, for whoever looks at how we ended.
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}

/** `npm run` exports its own settings to us; passed on, they would steer this npm into another folder or mode. */
function withoutNpmSettings(env) {
  return Object.fromEntries(
    Object.entries(env).filter(
      ([name]) => !/^npm_(config_(prefix|global|local_prefix)|lifecycle|package|command)/i.test(name),
    ),
  )
}

function readText(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined
  }
}

function fail(message) {
  process.stderr.write(`error: ${message}\n`)
  process.exit(1)
}
