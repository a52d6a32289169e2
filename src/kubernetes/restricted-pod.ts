/** `securityContext` of a pod that the `restricted` Pod Security Standard admits; 1000 is the user of the official Node.js image, and nobody's in others. */
export const restrictedPod = {
  runAsNonRoot: true,
  runAsUser: 1000,
  runAsGroup: 1000,
  seccompProfile: { type: 'RuntimeDefault' },
} as const

/** The same of each of its containers, which moreover cannot write to their root file system. */
export const restrictedContainer = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ['ALL'] },
} as const
