import { expect, test } from 'vitest'
import { containersWithOutsideDns, renderRules, seal, sealStatus, unseal } from '../../../src/engine/seal.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { hostOn } from './fake-machine.ts'

const missing = { exitCode: 1, stderr: 'Error: No such file or directory' }

/** What nft would list after loading the rules. */
function listing(rules = renderRules(), packets = 0): string {
  const comments = [...rules.matchAll(/comment "([^"]+)"/g)].map((match) => ({ rule: { comment: match[1] } }))
  const counters = ['rejected_ipv4', 'rejected_ipv6', 'rejected_dns'].map((name) => ({ counter: { name, packets } }))
  return JSON.stringify({ nftables: [{ metainfo: {} }, ...counters, ...comments] })
}

test('the rules are one transaction about our bridge only', () => {
  const rules = renderRules()
  expect(rules).toMatch(/^add table inet k8s_platform_seal\ndelete table inet k8s_platform_seal\ntable inet/)
  expect(rules).toContain('iifname != "kp-sealed0" accept')
  expect(rules).not.toContain('docker0')
})

test('sets the rules where there are none', async () => {
  const exec = scriptedExec([
    [/^nft --json list/, missing],
    [/^nft -f -$/, (_line, options) => (options.input === renderRules() ? '' : { exitCode: 1 })],
  ])
  await seal(hostOn(exec))
  expect(exec.calls).toHaveLength(2)
})

test('leaves rules that are in place alone, and reads the counters', async () => {
  const exec = scriptedExec([[/^nft --json list/, listing(renderRules(), 7)]])
  const host = hostOn(exec)
  await seal(host)
  expect(await sealStatus(host)).toEqual({ sealed: true, rejected: { ipv4: 7, ipv6: 7, dns: 7 } })
})

test.each([
  ['a rule is missing', (rules: string) => rules.replace(/.*oifname.*\n/, '')],
  ['the rules are of another version', (rules: string) => rules.replaceAll(/seal [0-9a-f]{12}/g, 'seal 000000000000')],
])('is not sealed when %s', async (_what, change) => {
  const exec = scriptedExec([[/^nft --json list/, listing(change(renderRules()))]])
  expect((await sealStatus(hostOn(exec))).sealed).toBe(false)
})

test('unsealing twice is fine', async () => {
  const exec = scriptedExec([[/^nft --json list/, missing]])
  await unseal(hostOn(exec))
  expect(exec.calls).toHaveLength(1)
})

test('names the containers that were started with another name server', async () => {
  const exec = scriptedExec([
    [/^docker ps --quiet --filter network=k8s-platform$/, 'a\nb\nc\n'],
    [/^docker inspect/, '/node ["127.0.0.1"]\n/registry []\n/other ["127.0.0.1","8.8.8.8"]\n'],
  ])
  expect(await containersWithOutsideDns(hostOn(exec), 'k8s-platform')).toEqual(['registry', 'other'])
})
