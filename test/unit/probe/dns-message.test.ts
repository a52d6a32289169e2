import { describe, expect, it } from 'vitest'
import { decodeAnswer, encodeQuery } from '../../../src/probe/dns-message.ts'

describe('DNS messages', () => {
  it('writes a question byte for byte', () => {
    expect(encodeQuery(0x1234, 'a.bc', 'A').toString('hex')).toBe('12340100000100000000000001610262630000010001')
  })

  it.each([
    ['too short', '1234'],
    ['is an answer', '12340100000100000000000001610262630000010001'],
    // The name at 12 points to itself.
    ['pointer', '123481800001000100000000c00c00010001c00c000100010000000000040a000001'],
  ])('refuses what is no answer: %s', (_what, hex) => {
    expect(() => decodeAnswer(Buffer.from(hex, 'hex'))).toThrow()
  })
})
