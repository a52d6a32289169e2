import { expect, test } from 'vitest'
import { Secrets } from '../../../src/process/secret-texts.ts'

test('a secret is hidden as it stands, line by line, and as JSON, a URL and base64 write it', () => {
  const secrets = new Secrets()
  const secret = 'first "line"\n  second ü&\n'
  secrets.add(secret)
  const shown = [
    secret,
    'first "line"',
    'second ü&',
    JSON.stringify({ secret }),
    encodeURIComponent(secret),
    encodeURIComponent('second ü&'),
    Buffer.from(secret).toString('base64'),
    Buffer.from('first "line"').toString('base64'),
  ]
  for (const text of shown) {
    const hidden = secrets.hide(`<${text}>`)
    expect(hidden).toMatch(/^<[^<>]*\*\*\*[^<>]*>$/)
    expect(hidden).not.toMatch(/first|second|Zmlyc3/)
  }
})

test('of two secrets the one that holds the other is hidden whole, whichever came first', () => {
  for (const order of [
    ['abc', 'abcdef'],
    ['abcdef', 'abc'],
  ]) {
    const secrets = new Secrets()
    for (const secret of order) secrets.add(secret)
    expect(secrets.hide('abcdef abc')).toBe('*** ***')
  }
})

test('nothing is hidden where there is nothing to hide', () => {
  const secrets = new Secrets()
  secrets.add(' \n')
  expect(secrets.hide('a b\nc')).toBe('a b\nc')
})
