import type { Kubernetes } from '../kubernetes/client.ts'
import type { Fleet } from './probe-pods.ts'

/** Kinds of app a suite knows more about than Kubernetes tells. */
export const targets = ['voting-app', 'generic'] as const
export type Target = (typeof targets)[number]

/** Where the voting app is reached from where we run. */
export interface AppUrls {
  readonly vote: string
  readonly result: string
}

/** What the suites of one run share. */
export interface SuiteEnvironment {
  readonly kubernetes: Kubernetes
  readonly target: Target
  /** The namespace under test. */
  readonly namespace: string
  /** This run's mark. */
  readonly nonce: string
  /** The probe pods: started by the first check that asks, shared by all. */
  readonly fleet: () => Promise<Fleet>
  readonly expected: {
    /** How many nodes there must be; undefined takes the number the cluster has. */
    readonly nodes?: number
  }
  /** Given by the user; undefined finds them. */
  readonly urls?: AppUrls
  /** How long things must have been stable (R5), milliseconds. */
  readonly stableMs: number
  /** How long observed may differ from expected before a check is red, milliseconds. */
  readonly convergeMs: number
}
