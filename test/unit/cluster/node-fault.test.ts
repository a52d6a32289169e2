import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { nodeFault } from '../../../src/cluster/node-fault.ts'
import { testHost } from '../../support/test-host.ts'

async function journals(logs: Readonly<Record<string, string>>): Promise<string> {
  const folder = join(testHost().paths.temp, 'nodes')
  for (const [path, text] of Object.entries(logs)) {
    await mkdir(join(folder, path, '..'), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  return folder
}

// As a node logged them when the host's inotify instances were used up.
const containerd =
  'Nov 21 11:22:11 demo-worker containerd[166]: time="2026-11-21T11:22:11Z" level=warning msg="failed to load plugin io.containerd.grpc.v1.cri" error="failed to create CRI service: failed to create fsnotify watcher: too many open files"\n'
const kubelet =
  'Nov 21 11:26:15 demo-worker kubelet[2266]: E1121 11:26:15.019390    2266 run.go:72] "command failed" err="failed to run Kubelet: validate CRI v1 runtime API for endpoint \\"unix:///run/containerd/containerd.sock\\": unknown service runtime.v1.RuntimeService"\n'

describe('nodeFault', () => {
  it('finds the cause before its symptoms, with the way out', async () => {
    const folder = await journals({ 'demo-worker/kubelet.log': kubelet, 'demo-worker/containerd.log': containerd })
    expect(await nodeFault(folder)).toMatchObject({
      fact: 'demo-worker: containerd: failed to create CRI service: failed to create fsnotify watcher: too many open files',
      hint: expect.stringContaining('fs.inotify.max_user_instances'),
    })
  })

  it('quotes the error of a kubelet that ends, where the cause is not known', async () => {
    const folder = await journals({
      'demo-worker/kubelet.log': `${kubelet}Nov 21 11:26:16 demo-worker systemd[1]: Started kubelet.\n`,
    })
    expect(await nodeFault(folder)).toMatchObject({
      fact: 'demo-worker: kubelet: failed to run Kubelet: validate CRI v1 runtime API for endpoint "unix:///run/containerd/containerd.sock": unknown service runtime.v1.RuntimeService',
    })
  })

  it('says nothing of healthy nodes, and of none', async () => {
    expect(
      await nodeFault(
        await journals({ 'demo-worker/kubelet.log': 'Nov 21 11:00:00 demo-worker kubelet[1]: I1121 fine\n' }),
      ),
    ).toBeUndefined()
    expect(await nodeFault('/nowhere')).toBeUndefined()
  })
})
