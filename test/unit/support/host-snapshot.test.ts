import { expect, it } from 'vitest'
import { leftBehind, lines } from '../../support/host-snapshot.ts'

it('a program that is not installed, and Docker without an engine, hold nothing', async () => {
  expect(await lines('no-such-program', [])).toEqual([])
  const noEngine =
    'console.error("Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?"); process.exit(1)'
  expect(await lines(process.execPath, ['--eval', noEngine])).toEqual([])
})

it('a program that fails in another way is not taken for one that holds nothing', async () => {
  const denied = 'console.error("Operation not permitted (you must be root)"); process.exit(1)'
  await expect(lines(process.execPath, ['--eval', denied])).rejects.toThrow('Operation not permitted')
})

it('images of the cache may stay, and nothing else', () => {
  const before = { images: ['debian:13'], containers: [] }
  expect(leftBehind(before, { ...before, images: ['debian:13', 'k8s-platform/vote:1', '<none>:<none>'] })).toEqual({})
  expect(leftBehind(before, { ...before, images: ['debian:13', 'other:1'] })).toHaveProperty('images')
  expect(leftBehind(before, { ...before, images: [] })).toHaveProperty('images')
  expect(leftBehind(before, { ...before, containers: ['kp-e2e-worker'] })).toHaveProperty('containers')
})
