/** Contrast is at least 4.5 to 1 in both schemes; motion there is none. */
export const reportStyle = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --text: #16202c; --quiet: #51606f; --line: #d9dfe6; --code: #eef1f5;
  --pass: #14713a; --fail: #b3201f; --inconclusive: #8a5300; --skipped: #5a6773; --focus: #1457c0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #10151b; --card: #18202a; --text: #e8edf3; --quiet: #a5b2c0; --line: #2d3947; --code: #111820;
    --pass: #5fd08c; --fail: #ff8a80; --inconclusive: #f2b457; --skipped: #a0adba; --focus: #8ab8ff;
  }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 1.25rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
a { color: var(--focus); }
.skip-link { position: absolute; left: -999rem; }
.skip-link:focus { left: 1rem; top: 1rem; background: var(--card); padding: .5rem 1rem; }
.visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.verdict { display: inline-block; margin: 0; padding: .25rem .9rem; border-radius: 999px; border: 2px solid; font-weight: 700; }
.pass.verdict, .pass .mark { color: var(--pass); }
.fail.verdict, .fail .mark, .problem { color: var(--fail); }
.inconclusive .mark { color: var(--inconclusive); }
.skipped .mark { color: var(--skipped); }
h1 { margin: .6rem 0 .8rem; font-size: clamp(1.3rem, 4vw, 1.9rem); line-height: 1.2; }
h2 { margin: 2rem 0 .6rem; font-size: 1.2rem; }
h2 small { color: var(--quiet); font-weight: 400; font-size: .85rem; margin-left: .4rem; }
h3 { font-size: .95rem; margin: .9rem 0 .3rem; }
.facts { display: flex; flex-wrap: wrap; gap: .4rem 1.8rem; margin: 0; }
.facts dt { color: var(--quiet); font-size: .8rem; }
.facts dd { margin: 0; font-weight: 600; overflow-wrap: anywhere; }
.problem { font-weight: 600; }
.check { background: var(--card); border: 1px solid var(--line); border-left: 4px solid var(--line); border-radius: 8px; margin: .45rem 0; }
.check.pass { border-left-color: var(--pass); }
.check.fail { border-left-color: var(--fail); }
.check.inconclusive { border-left-color: var(--inconclusive); }
summary { display: grid; grid-template-columns: 1.4rem minmax(8.5rem, auto) 1fr auto; gap: 0 .6rem; padding: .6rem .8rem; cursor: pointer; list-style: none; }
summary::-webkit-details-marker { display: none; }
.mark, .id { font-weight: 700; }
.id { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .9rem; }
.time { color: var(--quiet); font-variant-numeric: tabular-nums; }
.reason { grid-column: 2 / -1; color: var(--quiet); overflow-wrap: anywhere; }
.fail .reason, .inconclusive .reason { color: var(--text); }
.details { padding: 0 .8rem .8rem; border-top: 1px solid var(--line); }
pre, code { font-family: ui-monospace, "SF Mono", Menlo, Consolas, monospace; font-size: .85rem; }
pre { background: var(--code); padding: .7rem; border-radius: 6px; overflow: auto; max-height: 24rem; white-space: pre-wrap; overflow-wrap: anywhere; }
.next code { background: var(--code); padding: .2rem .45rem; border-radius: 4px; user-select: all; overflow-wrap: anywhere; }
.attempts { margin: 0; padding-left: 1.2rem; overflow-wrap: anywhere; }
.timeline { list-style: none; margin: 0; padding: 0; }
.timeline li { display: grid; grid-template-columns: minmax(14rem, 24rem) 1fr; gap: .8rem; align-items: center; padding: .1rem 0; }
.label { font-size: .85rem; }
.track { display: block; background: var(--code); border-radius: 3px; height: .8rem; overflow: hidden; }
.bar { display: block; height: 100%; background: var(--pass); border-radius: 3px; }
.bar.red { background: var(--fail); }
footer { color: var(--quiet); font-size: .85rem; margin-top: 2rem; }
@media (max-width: 40rem) {
  body { padding: .8rem; }
  summary { grid-template-columns: 1.4rem 1fr auto; }
  .title, .reason { grid-column: 2 / -1; }
  .time { grid-column: 3; grid-row: 1; }
  .timeline li { grid-template-columns: 1fr; gap: 0; }
}
@media print { .check { break-inside: avoid; } }
`
