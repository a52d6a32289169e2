import { formatSeconds } from '../process/wait.ts'
import { reportStyle } from './html-style.ts'
import { plainText } from './plain-text.ts'
import { type CheckRecord, type RunRecord, renderTotals, totalsOf, type Verdict } from './record.ts'

const marks: Readonly<Record<Verdict, string>> = { pass: '✔', fail: '✘', inconclusive: '?', skipped: '–' }
const words: Readonly<Record<Verdict, string>> = {
  pass: 'passed',
  fail: 'failed',
  inconclusive: 'inconclusive',
  skipped: 'skipped',
}

/**
 * The run as one HTML file that needs nothing else: no script, no font, no request. Works dark and light, on a phone, by keyboard and with a screen reader: verdicts
 * are words and signs, never colour alone; details are native disclosure elements.
 */
export function renderHtml(record: RunRecord): string {
  const totals = totalsOf(record.checks)
  const suites = [...new Set(record.checks.map((check) => check.suite))]
  const title = `Assertions ${record.verdict === 'pass' ? 'passed' : 'failed'}: ${record.namespace}`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapeHtml(title)}</title>
<style>${reportStyle}</style>
</head>
<body>
<a class="skip-link" href="#checks">Skip to the checks</a>
<header>
<p class="verdict ${record.verdict}"><span aria-hidden="true">${marks[record.verdict]}</span> ${record.verdict === 'pass' ? 'Proven' : 'Not proven'}</p>
<h1>${escapeHtml(renderTotals(totals))}</h1>
${renderFacts(record)}
${record.problems.map((problem) => `<p class="problem">${escapeHtml(problem)}</p>`).join('\n')}
</header>
<main id="checks">
${suites
  .map((suite) =>
    renderSuite(
      suite,
      record.checks.filter((check) => check.suite === suite),
    ),
  )
  .join('\n')}
${renderTimeline(record)}
</main>
<footer><p>Run ${escapeHtml(record.run)}, schema ${escapeHtml(record.schema)}. The same record is in <code>assertions.json</code> and <code>junit.xml</code>.</p></footer>
</body>
</html>
`
}

function renderFacts(record: RunRecord): string {
  const facts: [string, string][] = [
    ['Target', record.target],
    ['Namespace', record.namespace],
    ['Kubernetes', record.serverVersion],
    ['Nodes', `${record.nodes.filter((node) => node.ready).length} of ${record.nodes.length} Ready`],
    ['Took', formatSeconds(record.durationMs)],
    ['Started', record.startedAt.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')],
  ]
  return `<dl class="facts">${facts.map(([name, value]) => `<div><dt>${name}</dt><dd>${escapeHtml(value)}</dd></div>`).join('')}</dl>`
}

function renderSuite(suite: string, checks: readonly CheckRecord[]): string {
  const id = `suite-${suite.replace(/[^a-z0-9-]/gi, '-')}`
  return `<section aria-labelledby="${id}">
<h2 id="${id}">${escapeHtml(suite)} <small>${escapeHtml(renderTotals(totalsOf(checks)))}</small></h2>
${checks.map(renderCheck).join('\n')}
</section>`
}

function renderCheck(check: CheckRecord): string {
  const isRed = check.verdict === 'fail' || check.verdict === 'inconclusive'
  return `<details class="check ${check.verdict}"${isRed ? ' open' : ''} id="${escapeHtml(check.id)}">
<summary>
<span class="mark" aria-hidden="true">${marks[check.verdict]}</span>
<span class="id">${escapeHtml(check.id)}</span>
<span class="title">${escapeHtml(check.title)} <span class="visually-hidden">(${words[check.verdict]})</span></span>
<span class="time">${escapeHtml(formatSeconds(check.durationMs))}</span>
<span class="reason">${escapeHtml(check.reason)}</span>
</summary>
<div class="details">
${renderEvidence(check)}
${renderAttempts(check)}
${renderObservations(check)}
</div>
</details>`
}

function renderEvidence(check: CheckRecord): string {
  return check.evidence
    .map(({ text, command }) => {
      const next =
        command === undefined ? '' : `<p class="next">Next: <code tabindex="0">${escapeHtml(command)}</code></p>`
      return `<pre tabindex="0">${escapeHtml(text)}</pre>${next}`
    })
    .join('\n')
}

function renderAttempts(check: CheckRecord): string {
  if (check.attempts.length === 0) return ''
  const rows = check.attempts.map(
    (attempt) => `<li><b>${escapeHtml(formatSeconds(attempt.atMs))}</b> ${escapeHtml(attempt.seen)}</li>`,
  )
  return `<h3>Looks that did not show it</h3><ol class="attempts">${rows.join('')}</ol>`
}

function renderObservations(check: CheckRecord): string {
  const facts = Object.keys(check.observations).length === 0 ? '' : JSON.stringify(check.observations, null, 2)
  const converged =
    check.timeToConvergeMs === undefined
      ? ''
      : `<p>Converged after ${escapeHtml(formatSeconds(check.timeToConvergeMs))}.</p>`
  const needs =
    check.needs.length === 0
      ? ''
      : `<p>Needs ${check.needs.map((id) => `<a href="#${escapeHtml(id)}">${escapeHtml(id)}</a>`).join(', ')}.</p>`
  return `${converged}${needs}${facts === '' ? '' : `<pre tabindex="0">${escapeHtml(facts)}</pre>`}`
}

/** Bars on one scale; the numbers are in the text of each row, so nothing is in the picture alone. */
function renderTimeline(record: RunRecord): string {
  if (record.timings.length === 0) return ''
  const total = Math.max(1, ...record.timings.map((timing) => timing.startMs + timing.durationMs))
  const rows = record.timings.map((timing) => {
    const left = ((timing.startMs / total) * 100).toFixed(2)
    const width = Math.max(0.4, (timing.durationMs / total) * 100).toFixed(2)
    const text = `${timing.name}, from ${formatSeconds(timing.startMs)} for ${formatSeconds(timing.durationMs)}`
    return `<li><span class="label">${escapeHtml(text)}</span><span class="track" aria-hidden="true"><span class="bar${timing.ok ? '' : ' red'}" style="margin-left:${left}%;width:min(${width}%, calc(100% - ${left}%))"></span></span></li>`
  })
  return `<section aria-labelledby="timeline"><h2 id="timeline">Timeline <small>${escapeHtml(formatSeconds(total))}</small></h2><ol class="timeline">${rows.join('\n')}</ol></section>`
}

export function escapeHtml(text: string): string {
  return plainText(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}
