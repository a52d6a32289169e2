import { InputError } from '../process/errors.ts'

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 }

/** Go's form, as Kubernetes users write it: `90s`, `10m`, `1h30m`. Milliseconds. @throws InputError */
export function parseDuration(text: string, name = 'timeout'): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)]
  const total = parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * (unitMs[unit ?? ''] ?? Number.NaN), 0)
  if (parts.map((part) => part[0]).join('') !== text || parts.length === 0 || !Number.isFinite(total) || total <= 0) {
    throw new InputError([
      {
        name,
        value: text,
        problem: 'is not a duration',
        allowed: 'a number with a unit (ms, s, m, h)',
        example: '10m',
      },
    ])
  }
  return total
}
