import { colorRules } from "./Color.ts"

const light = `
  --page: #fbfaf7; --card: #ffffff; --ink: #1d2327; --soft: #5a646b; --line: #e4e1d9; --rail: #ebe8e0;
  --grey: #8b8378; --teal: #0f6e6b; --amber: #b4690e; --violet: #6d5aa8; --rose: #a8456f; --blue: #2f66b0; --faint: #a9c9c6;
  --good: #17703f; --bad: #b3321f; --gold-ink: #6b4a00; --gold: #ffe9ad; --mark: #fff2c4; --notice: #f3f0e6;
  color-scheme: light;`

const dark = `
  --page: #14181a; --card: #1b2023; --ink: #e8e6e1; --soft: #a3adb3; --line: #2c3337; --rail: #2a3135;
  --grey: #a39b8e; --teal: #4fc4bd; --amber: #e5a04a; --violet: #ad9ae6; --rose: #e58db4; --blue: #7fb0f0; --faint: #2f6664;
  --good: #6fd39a; --bad: #ff9180; --gold-ink: #ffe08a; --gold: #4a3a0c; --mark: #54430f; --notice: #22282b;
  color-scheme: dark;`

/** What all pages have in common: light, dark and paper; wide and narrow. */
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
.eyebrow { margin: 0; color: var(--teal); font-size: .875rem; font-weight: 600; letter-spacing: .02em; }
.note { color: var(--soft); font-size: .875rem; margin: .75rem 0; max-width: 46rem; }
.lead { margin-top: 1.5rem; }
.summary { display: flex; flex-wrap: wrap; gap: .75rem 2.25rem; margin: 0; }
.summary dt { color: var(--soft); font-size: .8125rem; }
.summary dd { margin: 0; font-weight: 500; }
.status::before { content: ""; display: inline-block; width: .55em; height: .55em; border-radius: 50%; margin-right: .45em; background: var(--soft); vertical-align: .06em; }
.status.completed::before { background: var(--good); }
.status.running::before { background: var(--teal); }
.status.interrupted::before { background: var(--amber); }
.status.diverged::before { background: var(--bad); }
.notice { background: var(--notice); border-left: 3px solid var(--soft); border-radius: 0 .375rem .375rem 0; padding: .75rem 1rem; margin: 1.5rem 0 0; overflow-wrap: anywhere; }
.notice.warning { border-color: var(--amber); }
.notice p { margin: 0; } .notice.warning p { font-weight: 600; }
.notice ul { margin: .25rem 0 0; padding-left: 1.25rem; }
.better { color: var(--good); } .worse { color: var(--bad); } .level { color: var(--soft); }
.dot { display: inline-block; width: .6em; height: .6em; border-radius: 50%; margin-right: .4em; background: var(--color, var(--soft)); }
${colorRules}
@media (max-width: 46rem) {
  main { padding: 2rem 1rem 4rem; }
  section { margin-top: 2.5rem; }
}
@media print {
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  h2, .note { break-after: avoid; }
  body { font-size: 10.5pt; background: none; }
  main { max-width: none; padding: 0; }
  section { margin-top: 1.75rem; }
}
`
