import { describe, expect, it } from 'vitest'
import { type Command, exampleOf, parseArguments, renderHelp } from '../../../src/cli/arguments.ts'
import { commands } from '../../../src/cli/commands.ts'
import { exitCodeOf, exitCodes } from '../../../src/cli/exit-codes.ts'
import { terminalLogger } from '../../../src/cli/terminal-logger.ts'
import {
  CancelledError,
  CommandError,
  InputError,
  NotReadyError,
  UnsupportedError,
} from '../../../src/process/errors.ts'

const command = (name: string): Command => {
  const found = commands.find((entry) => entry.name === name)
  if (found === undefined) throw new Error(name)
  return found
}

describe('arguments', () => {
  it('reads every kind of flag', () => {
    const parsed = parseArguments(command('up'), [
      '--workers',
      '0',
      '--image-source=packages',
      '--suites',
      'dns,readiness',
      '--suites=vote-flow',
      '--install-docker',
      '--verbose=false',
    ])
    expect(parsed.flags).toEqual({
      workers: 0,
      'image-source': 'packages',
      suites: ['dns', 'readiness', 'vote-flow'],
      'install-docker': true,
      verbose: false,
    })
    expect(parseArguments(command('images'), ['build']).word).toBe('build')
  })

  it('reports every problem at once, with the nearest name', () => {
    const parse = () =>
      parseArguments(command('up'), ['--wokers', '--workers', 'two', '--provider', 'knid', '--all', 'now', '--profile'])
    expect(parse).toThrow(InputError)
    expect(parse).toThrow(/^6 problems:/)
    expect(parse).toThrow('--wokers is not a flag of up; did you mean --workers?')
    expect(parse).toThrow('--workers (got "two") is not a whole number; allowed: 0 or more')
    expect(parse).toThrow('--provider (got "knid") is not known; did you mean kind?')
    expect(parse).toThrow('--profile needs a value; example: --profile nightly')
  })

  it('refuses a list without anything in it', () => {
    expect(() => parseArguments(command('up'), ['--fail-on', ','])).toThrow(
      '--fail-on (got ",") names nothing; allowed: fail, inconclusive, skipped',
    )
  })

  it('leaves the commas of values that may hold one: such a flag is repeated', () => {
    const parsed = parseArguments(command('deploy'), [
      '--set',
      'db.password=x,y',
      '--set=web.title=a,b',
      '--manifests',
      'k8s/{a,b}.yaml',
      '--images=shop:1\nshop:2',
      '--values',
      'a,b.yaml',
    ])
    expect(parsed.flags).toEqual({
      set: ['db.password=x,y', 'web.title=a,b'],
      manifests: ['k8s/{a,b}.yaml'],
      images: ['shop:1', 'shop:2'],
      values: ['a,b.yaml'],
    })
    expect(parseArguments(command('load-images'), ['--archives', 'a,b.tar', '--images', 'x,y']).flags).toEqual({
      archives: ['a,b.tar'],
      images: ['x,y'],
    })
  })

  it.each([
    [['--create-namespace=false'], false],
    [['--create-namespace', 'false'], false],
    [['--no-create-namespace'], false],
    [['--create-namespace', 'true'], true],
    [['--create-namespace', '--prune'], true],
  ])('reads %j', (argv, expected) => {
    expect(parseArguments(command('deploy'), argv).flags['create-namespace']).toBe(expected)
  })

  it('tells how to switch off what is on', () => {
    expect(renderHelp(command('deploy'))).toContain('--create-namespace[=false]')
    expect(() => parseArguments(command('deploy'), ['--no-prune=true'])).toThrow('takes no value')
    expect(() => parseArguments(command('deploy'), ['--no-release'])).toThrow('--no-release is not a flag of deploy')
  })

  it('refuses a name that a program would take for an option', () => {
    expect(() => parseArguments(command('deploy'), ['--release', '--post-renderer=x'])).toThrow(
      '--release (got "--post-renderer=x") has another form than allowed; allowed: lower-case letters',
    )
  })

  it.each(commands.map((entry) => entry.name))('has an example to type for every flag of %s', (name) => {
    for (const [flag, definition] of Object.entries(command(name).flags)) {
      if (definition.type === 'boolean') continue
      const argv = [`--${flag}`, exampleOf(definition) ?? '']
      expect(argv[1]).not.toMatch(/^[A-Z]*$/)
      expect(() => parseArguments({ ...command(name), words: undefined } as never, argv)).not.toThrow()
    }
  })

  it('asks for the word of a command that needs one', () => {
    expect(() => parseArguments(command('images'), [])).toThrow('action is missing; allowed: build, list, prune')
    expect(() => parseArguments(command('images'), ['biuld'])).toThrow('did you mean build?')
  })

  it('is not fooled by names that every object has', () => {
    expect(() => parseArguments(command('up'), ['--constructor', 'x'])).toThrow('is not a flag')
  })

  it.each(commands.map((entry) => entry.name))('helps with every flag of %s', (name) => {
    const help = renderHelp(command(name))
    for (const [flag, { description }] of Object.entries(command(name).flags)) {
      expect(help).toContain(`--${flag}`)
      expect(help).toContain(description)
    }
  })
})

describe('exit codes', () => {
  it('tell a script what kind of no it was', () => {
    expect(exitCodeOf(new InputError([]))).toBe(exitCodes.input)
    expect(exitCodeOf(new UnsupportedError('x'))).toBe(exitCodes.unsupported)
    expect(exitCodeOf(new NotReadyError('x'))).toBe(exitCodes.notReady)
    expect(exitCodeOf(new CancelledError('x'))).toBe(exitCodes.cancelled)
    expect(exitCodeOf(new TypeError('a defect'))).toBe(exitCodes.failed)
    const command = {
      command: 'kind',
      exitCode: 1,
      killedBy: null,
      timedOut: false,
      stdout: '',
      stderr: '',
      durationMs: 1,
    }
    expect(exitCodeOf(new CommandError(command))).toBe(exitCodes.failed)
    expect(exitCodeOf(new CommandError({ ...command, exitCode: null, timedOut: true }))).toBe(exitCodes.notReady)
  })
})

describe('terminal logger', () => {
  const record = (isTTY: boolean) => {
    let now = 0
    const written: string[] = []
    const stream = {
      isTTY,
      columns: 60,
      write: (text: string) => written.push(text),
    } as unknown as NodeJS.WritableStream & { isTTY: boolean }
    const log = terminalLogger({ stream, clock: { monotonic: () => now, now: () => new Date(0) }, verbose: false })
    return { log, written, advance: (ms: number) => (now += ms) }
  }

  it('overwrites progress on a terminal and clears it before the next line', () => {
    const { log, written } = record(true)
    log.progress('waiting for nodes: worker2 NotReady')
    log.info('done')
    expect(written[0]).toMatch(/^\r\x1b\[2K.*worker2 NotReady$/)
    expect(written[0]).not.toContain('\n')
    expect(written[1]).toBe('\r\x1b[2K')
    expect(written[2]).toMatch(/done\n$/)
  })

  it('prints plain progress lines, at most one in five seconds', () => {
    const { log, written, advance } = record(false)
    for (let second = 0; second < 11; second++) {
      log.progress(`second ${second}`)
      advance(1_000)
    }
    expect(written.map((line) => line.slice(10).trimEnd())).toEqual(['second 0', 'second 5', 'second 10'])
  })

  it('masks secrets and closes a group with its duration, also when it fails', async () => {
    const { log, written, advance } = record(false)
    log.mask('hunter2')
    await log
      .group('login', async () => {
        advance(2_000)
        log.info('password hunter2')
        throw new Error('no')
      })
      .catch(() => {})
    expect(written.join('')).toContain('password ***')
    expect(written.join('')).toContain('failed login (2.0 s)')
  })

  it('masks each line of a secret of many lines, quoted or not, and what is written beside the log', () => {
    const { log, written } = record(false)
    log.mask('-----BEGIN\n  MII"x\n')
    log.mask('MII')
    log.plain('error: -----BEGIN, then MII"x, as JSON "MII\\"x", and MII')
    expect(written).toEqual(['error: ***, then ***, as JSON "***", and ***\n'])
    expect(log.masked('MII"x')).toBe('***')
  })
})
