const light = `
  --page: #fbfaf7; --card: #ffffff; --ink: #1d2327; --soft: #5a646b; --line: #e4e1d9; --rail: #ebe8e0;
  --before: #8b8378; --after: #0f6e6b; --bm25: #b4690e; --third: #6d5aa8; --fourth: #a8456f; --faint: #a9c9c6;
  --good: #17703f; --bad: #b3321f; --gold-ink: #6b4a00; --gold: #ffe9ad; --mark: #fff2c4; --notice: #f3f0e6;
  color-scheme: light;`

const dark = `
  --page: #14181a; --card: #1b2023; --ink: #e8e6e1; --soft: #a3adb3; --line: #2c3337; --rail: #2a3135;
  --before: #a39b8e; --after: #4fc4bd; --bm25: #e5a04a; --third: #ad9ae6; --fourth: #e58db4; --faint: #2f6664;
  --good: #6fd39a; --bad: #ff9180; --gold-ink: #ffe08a; --gold: #4a3a0c; --mark: #54430f; --notice: #22282b;
  color-scheme: dark;`

/** The page's style sheet: light, dark and paper; wide and narrow. */
export const style = `
:root {${light}}
@media (prefers-color-scheme: dark) { :root:not(.paper) {${dark}} }
@media print { :root {${light}} }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.5; font-size: 16px;
  font-family: ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Noto Sans", "Liberation Sans", sans-serif;
  font-variant-numeric: tabular-nums; }
main { max-width: 68rem; margin: 0 auto; padding: 3rem 1.5rem 5rem; }
h1, h2, .question { font-family: "Iowan Old Style", "Palatino Linotype", "URW Palladio L", P052, Palatino, Georgia, "Noto Serif", serif; text-wrap: balance; }
h1 { font-size: clamp(1.75rem, 1.1rem + 3vw, 2.75rem); font-weight: 600; line-height: 1.12; letter-spacing: -.012em; margin: .25rem 0 1.25rem; font-variant-numeric: lining-nums tabular-nums; }
h2 { font-size: 1.4rem; font-weight: 600; line-height: 1.25; margin: 0 0 1rem; }
h3 { font-size: .875rem; font-weight: 600; margin: 0 0 .5rem; }
section { margin-top: 3.25rem; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .9em; }
.eyebrow { margin: 0; color: var(--after); font-size: .875rem; font-weight: 600; letter-spacing: .02em; }
.note { color: var(--soft); font-size: .875rem; margin: .75rem 0; max-width: 46rem; }
.summary { display: flex; flex-wrap: wrap; gap: .75rem 2.25rem; margin: 0; }
.summary dt { color: var(--soft); font-size: .8125rem; }
.summary dd { margin: 0; font-weight: 500; }
.status::before { content: ""; display: inline-block; width: .55em; height: .55em; border-radius: 50%; margin-right: .45em; background: var(--soft); vertical-align: .06em; }
.status.completed::before { background: var(--good); }
.status.running::before { background: var(--after); }
.status.interrupted::before { background: var(--bm25); }
.status.diverged::before { background: var(--bad); }
.notice { background: var(--notice); border-left: 3px solid var(--soft); border-radius: 0 .375rem .375rem 0; padding: .75rem 1rem; margin: 1.5rem 0 0; overflow-wrap: anywhere; }
.notice.warning { border-color: var(--bm25); }
.notice p { margin: 0; font-weight: 600; } p.notice { font-weight: 400; }
.notice ul { margin: .25rem 0 0; padding-left: 1.25rem; }
.dot { display: inline-block; width: .6em; height: .6em; border-radius: 50%; margin-right: .4em; background: var(--soft); }
.dot.before, .mark.before { background: var(--before); }
.dot.after, .mark.after { background: var(--after); }
.dot.bm25, .mark.bm25 { background: var(--bm25); }
.dot.third, .mark.third { background: var(--third); }

table.figures { border-collapse: collapse; width: 100%; }
.figures th { font-weight: 500; text-align: right; white-space: nowrap; }
.figures thead th { color: var(--soft); font-size: .8125rem; padding: 0 .25rem .4rem 1rem; }
.figures th:first-child { text-align: left; padding-left: 0; }
.figures tbody tr { border-top: 1px solid var(--line); }
.figures tbody th, .figures td { padding: .5rem .25rem .5rem 1rem; }
.figures .number { text-align: right; white-space: nowrap; }
.figures .number.after { font-weight: 650; color: var(--after); }
.figures .gain { padding-right: 0; }
.figures .track { width: 30%; min-width: 9rem; padding-left: 1.5rem; padding-right: 1rem; }
.figures thead .track span:first-child { float: left; }
.rail { display: block; position: relative; height: 4px; border-radius: 2px; background: var(--rail); }
.rail i { position: absolute; top: 50%; }
.rail .span { height: 4px; transform: translateY(-50%); background: var(--after); opacity: .45; }
.rail .mark { width: 9px; height: 9px; border-radius: 50%; transform: translate(-50%, -50%); }
.rail .mark.after { width: 13px; height: 13px; box-shadow: 0 0 0 2px var(--page); }
.rail .mark.bm25 { width: 3px; height: 15px; border-radius: 1px; }
.better { color: var(--good); } .worse { color: var(--bad); } .level { color: var(--soft); }
.interval { color: var(--soft); font-size: .875em; }

.curves { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1.25rem; }
figure { margin: 0; min-width: 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: 1rem 1rem .5rem; }
figcaption { font-weight: 600; font-size: .9375rem; }
.chart { min-width: 0; }
.uplot, .uplot *, .uplot *::before, .uplot *::after { box-sizing: border-box; }
.uplot { display: flex; flex-direction: column; font-family: inherit; line-height: 1.4; }
.uplot .u-legend { order: -1; text-align: left; font-size: .8125rem; color: var(--soft); margin: .15rem 0 .35rem; min-height: 1.5em; }
.uplot .u-legend tr, .uplot .u-legend.u-inline tr { margin-right: .35rem; }
.uplot .u-legend th { font-weight: 400; cursor: default; }
.uplot .u-legend .u-value { color: var(--ink); font-weight: 500; }
.uplot .u-legend .u-marker { width: .65em; height: .65em; border-radius: 50%; margin-right: .35em; }
.uplot .u-legend .u-series:first-child .u-marker { display: none; }
.uplot .u-legend .u-series > * { padding: 0 .2rem 0 0; }
.u-cursor-x, .u-cursor-y { border-color: var(--soft) !important; }
.u-select { background: color-mix(in srgb, var(--after) 14%, transparent); }

.example { border-top: 1px solid var(--line); padding: 1rem 0; }
.example:last-of-type { border-bottom: 1px solid var(--line); }
.example summary { cursor: pointer; list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: baseline; justify-content: space-between; border-radius: .25rem; }
.example summary::-webkit-details-marker { display: none; }
.example summary:focus-visible { outline: 2px solid var(--after); outline-offset: 4px; }
.question { font-size: 1.125rem; line-height: 1.4; overflow-wrap: anywhere; flex: 1 1 24rem; padding-left: 1.25rem; text-indent: -1.25rem; }
.question::before { content: "+"; display: inline-block; width: 1.25rem; text-indent: 0; color: var(--soft); font-family: ui-monospace, monospace; }
[open] > summary .question::before { content: "−"; }
.places { padding-left: 1.25rem; display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: .8125rem; color: var(--soft); }
.place.first { color: var(--ink); font-weight: 500; }
.answers { margin: .35rem 0 0 1.25rem; color: var(--soft); font-size: .9375rem; }
.systems { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 17rem), 1fr)); gap: 1.25rem; margin: 1rem 0 0 1.25rem; }
.system ol { list-style: none; margin: 0; padding: 0; display: grid; gap: .5rem; }
.system li { border-left: 3px solid var(--line); padding: .1rem 0 .1rem .75rem; min-width: 0; overflow-wrap: anywhere; }
.system li.is-gold { border-color: #d9a514; }
.system p { margin: 0; }
.meta { color: var(--soft); font-size: .8125rem; display: flex; gap: .5em; }
.meta .score { margin-left: auto; }
.gold { background: var(--gold); color: var(--gold-ink); border-radius: .25rem; padding: 0 .4em; font-size: .75rem; font-weight: 600; }
.title { font-weight: 600; font-size: .9375rem; }
.text { font-size: .9375rem; }
mark { background: var(--mark); color: inherit; border-radius: 2px; box-shadow: 0 0 0 1px var(--mark); }

.facts { columns: 24rem 2; column-gap: 3rem; }
.group { break-inside: avoid; margin-bottom: 1.75rem; }
.group dl { margin: 0; font-size: .875rem; }
.group dl div { display: flex; justify-content: space-between; gap: 1rem; border-top: 1px solid var(--line); padding: .3rem 0; }
.group dt { color: var(--soft); overflow-wrap: anywhere; flex: 0 1 auto; min-width: 8rem; }
.group dd { margin: 0; text-align: right; overflow-wrap: anywhere; min-width: 0; }

@media (max-width: 46rem) {
  main { padding: 2rem 1rem 4rem; }
  section { margin-top: 2.5rem; }
  .figures thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  .figures, .figures tbody { display: block; }
  .figures tbody tr { display: flex; flex-wrap: wrap; gap: .1rem 1.1rem; padding: .7rem 0; }
  .figures tbody th, .figures td { padding: 0; }
  .figures tbody th { flex: 1 0 100%; font-weight: 600; }
  .figures td.track { flex: 1 0 100%; width: auto; padding: .55rem 8px .6rem; }
  .figures .number { text-align: left; }
  .figures .number::before { content: attr(data-name); display: block; font-size: .75rem; font-weight: 400; color: var(--soft); }
  .systems { margin-left: 0; }
}
@media print {
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2, .note { break-after: avoid; }
  figure { overflow: hidden; }
  body { font-size: 10.5pt; background: none; }
  main { max-width: none; padding: 0; }
  section { margin-top: 1.75rem; }
  figure, .example, .group, .figures tr { break-inside: avoid; }
  .question::before { content: none; }
  .curves { grid-template-columns: 1fr 1fr; }
}
@media (prefers-reduced-motion: no-preference) { .example summary:hover .question { color: var(--after); transition: color .15s; } }
`
