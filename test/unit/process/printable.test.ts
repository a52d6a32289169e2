import { describe, expect, test } from 'vitest'
import { InputError, renderProblems } from '../../../src/process/errors.ts'
import { nearestName } from '../../../src/process/nearest-name.ts'
import { printable, quoted } from '../../../src/process/printable.ts'

describe('a value in a message', () => {
  test.each([
    ['demo', '"demo"'],
    ['a"b\\', String.raw`"a\"b\\"`],
    ['a\n::error::b\r', String.raw`"a\n::error::b\r"`],
    ['safe\u202eelbasi', String.raw`"safe\u{202e}elbasi"`],
    ['zero\u200bwidth\u2028', String.raw`"zero\u{200b}width\u{2028}"`],
    ['half \ud800', String.raw`"half \ud800"`],
    ['https://user:secret@mirror.example.com/x', '"https://***@mirror.example.com/x"'],
    ['https://mirror.example.com/@scope', '"https://mirror.example.com/@scope"'],
    ['x'.repeat(1_000), `"${'x'.repeat(200)}…", 1000 characters`],
  ])('%j is shown as %s', (text, shown) => expect(quoted(text)).toBe(shown))

  test('a password is hidden also where the value is cut behind it', () => {
    expect(quoted(`https://u:secret@${'x'.repeat(1_000)}`)).not.toContain('secret')
    expect(quoted(`${'x'.repeat(180)}https://u:secretsecretsecret@h`)).not.toContain('secret')
  })

  test('a plain name stays bare', () => {
    expect(printable('cluster.nodes[0]')).toBe('cluster.nodes[0]')
    expect(printable('a\nb')).toBe(String.raw`"a\nb"`)
  })

  test('one line a problem, whatever its name and value', () => {
    const error = new InputError([
      { name: 'a\n- b is fine', value: 'c\nd', problem: 'is wrong' },
      { name: 'e', problem: 'is missing' },
    ])
    expect(error.message.split('\n')).toHaveLength(3)
  })
})

test('the nearest name of a megabyte is none, at once', () => {
  expect(nearestName('x'.repeat(1_000_000), ['cluster-name', 'workers'])).toBeUndefined()
  expect(nearestName('clster-nam', ['cluster-name', 'workers'])).toBe('cluster-name')
})

test('words that quote what was given show it, and keep their lines', () => {
  expect(renderProblems([{ name: 'set', problem: 'is odd: \u001b]0;title\u0007\nand \u202eso on' }])).toBe(
    'set is odd: \\u{1b}]0;title\\u{7}\nand \\u{202e}so on',
  )
})
