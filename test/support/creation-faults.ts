import { rmSync } from 'node:fs'
import path from 'node:path'
import { freeHostPorts } from '../../src/cluster/host-ports.ts'
import type { CreationDrill } from './creation-drill.ts'
import {
  breakNetwork,
  config,
  fill,
  fullDisk,
  mapPort,
  mountedDisk,
  onNodes,
  refuseNodes,
  relay,
  takePort,
} from './creation-plants.ts'

export interface CreationFault {
  readonly fault: string
  readonly code: string
  /** First line of the one error. */
  readonly line: RegExp
  /** What a person is told to do. */
  readonly next: RegExp
  /** For failures that are known to be final: seconds after which it must have ended, far below the deadline. */
  readonly withinSeconds?: number
  readonly plant: (drill: CreationDrill) => void | Promise<void>
}

/** The table: committed before the run that fills docs/reliability.md. `culprit` is the cluster's name in each row. */
export const creationFaults: readonly CreationFault[] = [
  {
    fault: 'a worker whose kubelet cannot be started: the node never joins',
    code: 'NODE_NOT_JOINED',
    line: /^node culprit-worker (cannot come up: its kubelet is|of 2 never joined)/,
    next: /docker exec culprit-worker journalctl -u kubelet/,
    plant: (drill) =>
      onNodes(drill, () => drill.docker('exec', 'culprit-worker', 'mv', '/usr/bin/kubelet', '/usr/bin/kubelet.gone')),
  },
  {
    fault: 'the pod network’s DaemonSet names an image that does not exist',
    code: 'NETWORK_NOT_READY',
    line: /^the pod network has not started on \d of 2 nodes, culprit-\S+ for one: DaemonSet kube-system\/node-network: pod \S+: .*(ErrImagePull|ImagePullBackOff).*not found/,
    next: /kubectl -n kube-system describe daemonset node-network/,
    withinSeconds: 90,
    plant: (drill) => breakNetwork(drill, 's#image: .*#image: docker.io/library/missing:1#'),
  },
  {
    fault: 'the pod network’s DaemonSet crashes on start',
    code: 'NETWORK_NOT_READY',
    line: /^the pod network has not started on 2 of 2 nodes, .*DaemonSet kube-system\/node-network: pod \S+: /,
    next: /kubectl -n kube-system describe daemonset node-network/,
    plant: (drill) => breakNetwork(drill, 's#image: .*#image: docker.io/library/busybox:1.35#'),
  },
  {
    fault: 'CoreDNS has an image tag that no registry has (by the user’s kind config)',
    code: 'IMAGE_NOT_FOUND',
    line: /^image \S*coredns:v0\.0\.0-missing cannot be pulled, so pod kube-system\/coredns-\S+ does not start: .*not found/,
    next: /Correct its name or tag/,
    withinSeconds: 90,
    plant: (drill) =>
      config(drill, {
        kubeadmConfigPatches: ['kind: ClusterConfiguration\ndns:\n  imageTag: v0.0.0-missing\n'],
        nodes: [{ role: 'control-plane' }, { role: 'worker' }],
      }),
  },
  {
    fault: 'a worker’s /var/lib/kubelet is a full disk',
    code: 'DISK_FULL',
    line: /^the disk of node culprit-worker at \/var\/lib\/kubelet is full: 0\.\d of 1 MiB free/,
    next: /docker exec culprit-worker df -h/,
    withinSeconds: 90,
    plant(drill) {
      const disk = fullDisk(drill, 'kubelet')
      config(drill, {
        nodes: [
          { role: 'control-plane' },
          { role: 'worker', extraMounts: [{ hostPath: disk, containerPath: '/var/lib/kubelet' }] },
        ],
      })
    },
  },
  {
    fault: 'the kubelets see too little disk (eviction threshold in the user’s kind config)',
    code: 'NODE_PRESSURE',
    line: /^node culprit-\S+ has DiskPressure, so its kubelet starts no pods: .*\(\/var\S*: [\d.]+ of \d+ MiB free\)/,
    next: /eviction thresholds/,
    plant: (drill) =>
      config(drill, {
        kubeadmConfigPatches: ['kind: KubeletConfiguration\nevictionHard:\n  nodefs.available: "99.9%"\n'],
        nodes: [{ role: 'control-plane' }, { role: 'worker' }],
      }),
  },
  {
    fault: 'the host’s disk fills up while the nodes boot',
    code: 'DISK_FULL',
    line: /^the disk of \S+ on this host is full: 0\.0 of 2 MiB free/,
    next: /df -h/,
    plant(drill) {
      const disk = mountedDisk(drill, 'host', 2)
      drill.env['DRILL_FOLDER'] = disk
      onNodes(drill, () => fill(disk))
      // As the person is told: without any room not even a lock can be taken, and the record stays for the next try.
      drill.after(() => rmSync(path.join(disk, 'filler'), { force: true }))
    },
  },
  {
    fault: 'the host’s disk is full from the beginning',
    code: 'DISK_FULL',
    line: /^the disk of \S+ on this host is full: 0\.0 of 2 MiB free/,
    next: /df -h/,
    withinSeconds: 20,
    plant(drill) {
      const disk = mountedDisk(drill, 'host', 2)
      drill.env['DRILL_FOLDER'] = disk
      fill(disk)
    },
  },
  {
    fault: 'registry-port is taken by another process',
    code: 'PREFLIGHT_FAILED',
    line: new RegExp(
      `^registry-port \\(got "\\d+"\\) is taken on 127\\.0\\.0\\.1 by \\S+ \\(process ${process.pid}\\)`,
    ),
    next: /a free port, or none to have one chosen/,
    withinSeconds: 20,
    async plant(drill) {
      drill.request = { ...drill.request, registryPort: await takePort(drill) }
    },
  },
  {
    fault: 'a host port of the user’s kind config is taken',
    code: 'PREFLIGHT_FAILED',
    line: new RegExp(
      `^config\\.nodes\\[0\\]\\.extraPortMappings\\[0\\]\\.hostPort \\(got "\\d+"\\) is taken on 127\\.0\\.0\\.1 by \\S+ \\(process ${process.pid}\\)`,
    ),
    next: /a free port/,
    withinSeconds: 20,
    async plant(drill) {
      mapPort(drill, await takePort(drill))
    },
  },
  {
    fault: 'a host port of the user’s kind config is taken after the preflight',
    code: 'PORT_TAKEN',
    line: new RegExp(`^port \\d+ of this host is taken by \\S+ \\(process ${process.pid}\\)`),
    next: /ss -ltnp sport = :\d+/,
    withinSeconds: 60,
    async plant(drill) {
      const [port = 0] = await freeHostPorts(1)
      mapPort(drill, port)
      drill.when('node image k8s-platform', () => void takePort(drill, port))
    },
  },
  {
    fault: 'no Docker engine answers',
    code: 'PREFLIGHT_FAILED',
    line: /^docker \(got "no answer"\)/,
    next: /start Docker/,
    withinSeconds: 20,
    plant(drill) {
      drill.env['DOCKER_HOST'] = `unix://${path.join(drill.folder, 'nobody.sock')}`
    },
  },
  {
    fault: 'the Docker engine goes away while the nodes boot',
    code: 'DOCKER_LOST',
    line: /^the Docker engine stopped answering: .*Cannot connect to the Docker daemon at unix:\/\//,
    next: /journalctl -u docker/,
    withinSeconds: 90,
    async plant(drill) {
      const socket = path.join(drill.folder, 'd.sock')
      const close = await relay(socket, '/var/run/docker.sock')
      drill.after(close)
      drill.env['DOCKER_HOST'] = `unix://${socket}`
      onNodes(drill, () => void close())
    },
  },
  {
    fault: 'the local registry is killed while the nodes boot',
    code: 'REGISTRY_LOST',
    line: /^the local registry, container culprit-registry, is exited \(exit code 137\)/,
    next: /docker logs --tail 50 culprit-registry/,
    withinSeconds: 90,
    plant: (drill) => onNodes(drill, () => drill.docker('kill', 'culprit-registry')),
  },
  {
    fault: 'the local registry is removed while the nodes boot',
    code: 'REGISTRY_LOST',
    line: /^the local registry, container culprit-registry, is gone/,
    next: /clean-up job/,
    withinSeconds: 90,
    plant: (drill) => onNodes(drill, () => drill.docker('rm', '--force', 'culprit-registry')),
  },
  {
    fault: 'the container of a worker is killed while the nodes boot',
    code: 'NODE_STOPPED',
    line: /^the container of node culprit-worker is exited \(exit code 137\)/,
    next: /docker logs --tail 50 culprit-worker/,
    plant: (drill) => onNodes(drill, () => drill.docker('kill', 'culprit-worker')),
  },
  {
    fault: 'Docker refuses a node for a reason nobody knows: no second try',
    code: 'CLUSTER_CREATE_FAILED',
    line: /^cluster culprit could not be created: command "docker run/,
    next: /journals are under/,
    withinSeconds: 60,
    plant: (drill) => void refuseNodes(drill, 'docker: Error response from daemon: something new 4711.', 99),
  },
]
