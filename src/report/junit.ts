import { type CheckRecord, type RunRecord, totalsOf } from './record.ts'

/**
 * JUnit XML as CI systems read it: one testsuite per suite, one testcase per check. Inconclusive is an `error` (we could not see), fail a `failure`. What is wrong
 * with the run as a whole is a testcase of its own, so that no reader can show such a run as green.
 */
export function renderJunit(record: RunRecord): string {
  const suites = [...new Set(record.checks.map((check) => check.suite))]
  const bodies = suites.map((suite) =>
    renderSuite(
      suite,
      record.checks.filter((check) => check.suite === suite),
      record,
    ),
  )
  if (record.problems.length > 0 || bodies.length === 0) bodies.push(renderRun(record))
  const totals = totalsOf(record.checks)
  const runFailures = record.problems.length > 0 ? 1 : 0
  const attributes = [
    'name="k8s-platform assertions"',
    `tests="${record.checks.length + runFailures}"`,
    `failures="${totals.fail + runFailures}"`,
    `errors="${totals.inconclusive}"`,
    `skipped="${totals.skipped}"`,
    `time="${seconds(record.durationMs)}"`,
  ]
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites ${attributes.join(' ')}>\n${bodies.join('\n')}\n</testsuites>\n`
}

function renderSuite(suite: string, checks: readonly CheckRecord[], record: RunRecord): string {
  const totals = totalsOf(checks)
  const time = checks.reduce((sum, check) => sum + check.durationMs, 0)
  const properties = [
    ['target', record.target],
    ['namespace', record.namespace],
    ['serverVersion', record.serverVersion],
    ['run', record.run],
  ].map(([name, value]) => `      <property name="${name}" value="${escapeXml(value ?? '')}"/>`)
  return [
    `  <testsuite name="${escapeXml(suite)}" tests="${checks.length}" failures="${totals.fail}" errors="${totals.inconclusive}" skipped="${totals.skipped}" time="${seconds(time)}" timestamp="${record.startedAt}">`,
    '    <properties>',
    ...properties,
    '    </properties>',
    ...checks.map(renderCase),
    '  </testsuite>',
  ].join('\n')
}

function renderCase(check: CheckRecord): string {
  const open = `    <testcase classname="${escapeXml(check.suite)}" name="${escapeXml(`${check.id} ${check.title}`)}" time="${seconds(check.durationMs)}"`
  const reason = escapeXml(check.reason)
  const details = escapeXml(renderDetails(check))
  switch (check.verdict) {
    case 'pass':
      return details === '' ? `${open}/>` : `${open}>\n      <system-out>${details}</system-out>\n    </testcase>`
    case 'skipped':
      return `${open}>\n      <skipped message="${reason}"/>\n    </testcase>`
    case 'fail':
      return `${open}>\n      <failure message="${reason}" type="fail">${details}</failure>\n    </testcase>`
    case 'inconclusive':
      return `${open}>\n      <error message="${reason}" type="inconclusive">${details}</error>\n    </testcase>`
  }
}

function renderDetails(check: CheckRecord): string {
  const evidence = check.evidence.map(({ text, command }) => (command === undefined ? text : `${text}\n$ ${command}`))
  const attempts = check.attempts.map((attempt) => `after ${attempt.atMs} ms: ${attempt.seen}`)
  return [...evidence, ...attempts].join('\n')
}

function renderRun(record: RunRecord): string {
  const message = escapeXml(record.problems.length > 0 ? record.problems.join('; ') : 'no check ran')
  return [
    '  <testsuite name="run" tests="1" failures="1" errors="0" skipped="0" time="0">',
    `    <testcase classname="run" name="The run as a whole" time="0">\n      <failure message="${message}" type="fail"/>\n    </testcase>`,
    '  </testsuite>',
  ].join('\n')
}

function seconds(ms: number): string {
  return (ms / 1000).toFixed(3)
}

/** Also drops what XML 1.0 cannot hold at all: a log line with a control character must not make the file unreadable. */
export function escapeXml(text: string): string {
  return text
    .toWellFormed()
    .replace(/[^\t\n\r\u{20}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]/gu, '\u{FFFD}')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll('\n', '&#10;')
}
