import { describe, expect, it } from 'vitest'
import { pullOnHost } from '../../../src/cluster/image-pull.ts'
import { scriptedExec } from '../../support/scripted-exec.ts'
import { recordingLogger, testHost } from '../../support/test-host.ts'

const image = 'm.example.com/docker.io/kindest/node:v1'

/** Words of engines that are not on this machine; those of the one that is: test/e2e/registry-faults.test.ts. */
describe('a pull that fails', () => {
  it.each([
    ['failed commit on ref "manifest-sha256:a": unexpected commit digest sha256:b, expected sha256:a', /another image/],
    [
      'Error response from daemon: unexpected status from GET request to https://m/v2/: 429 Too Many Requests',
      /rate limit/,
    ],
    ['failed to resolve reference "m/x:1": m/x:1: not found', /does not have it/],
    ['tls: failed to verify certificate: x509: certificate signed by unknown authority', /does not trust/],
    ['dial tcp: lookup m.example.com on 127.0.0.53:53: no such host', /cannot be reached/],
    ['Error response from daemon: no space left on device', /cannot be pulled: Error response from daemon: no space/],
  ])('is explained: %s', async (stderr, message) => {
    const exec = scriptedExec([[/^docker pull/, { exitCode: 1, stderr }]])
    await expect(pullOnHost(testHost({ exec }), image, 1)).rejects.toMatchObject({
      code: 'IMAGE_PULL_FAILED',
      message: expect.stringMatching(message),
    })
  })

  it('is tried again when that is known to help, and says so', async () => {
    const log = recordingLogger()
    let tries = 0
    const reset = { exitCode: 1, stderr: 'read: connection reset by peer' }
    const exec = scriptedExec([[/^docker pull/, () => (++tries < 3 ? reset : '')]])
    await pullOnHost(testHost({ exec, log }), image, 1)
    expect(log.lines.filter((line) => line.startsWith('warning'))).toEqual([
      expect.stringContaining('broke off; try 2 of 3'),
      expect.stringContaining('broke off; try 3 of 3'),
    ])
  })
})
