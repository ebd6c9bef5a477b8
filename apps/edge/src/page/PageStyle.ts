/** Rules of the page to ask in, beyond those of reports. */
export const pageStyle = `
main { max-width: 52rem; }
h1 { margin-bottom: 1rem; }
[hidden] { display: none !important; }
form { display: grid; grid-template-columns: minmax(0, 1fr); gap: .35rem; }
label { color: var(--soft); font-size: .875rem; }
.line { display: flex; gap: .6rem; align-items: flex-end; }
textarea, input, button { font: inherit; color: inherit; border-radius: .4rem; border: 1px solid var(--line); background: var(--card); padding: .6rem .75rem; }
textarea { flex: 1 1 auto; min-width: 0; max-width: 100%; resize: none; line-height: 1.5; max-height: 14rem; field-sizing: content; }
button { background: var(--teal); border-color: var(--teal); color: var(--page); font-weight: 600; cursor: pointer; padding-inline: 1.2rem; }
button.stop { background: var(--card); border-color: var(--soft); color: var(--ink); }
textarea:focus-visible, input:focus-visible, button:focus-visible, summary:focus-visible { outline: 2px solid var(--teal); outline-offset: 2px; }
form .note { margin: 0; }
.more { margin-top: .25rem; }
.more summary { cursor: pointer; color: var(--soft); font-size: .875rem; width: fit-content; border-radius: .25rem; }
.more[open] { display: flow-root; }
.more label { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: center; margin-top: .6rem; }
.more input { padding: .35rem .6rem; width: 14rem; max-width: 100%; }
#status { min-height: 1.5rem; margin: 1rem 0 0; color: var(--soft); font-size: .9375rem; }
#status.failed { color: var(--bad); }
section { margin-top: 1.25rem; }
section h2 { overflow-wrap: anywhere; margin-bottom: .75rem; white-space: pre-wrap; }
.said { font-size: 1.25rem; line-height: 1.6; margin: 0 0 .4rem; min-height: 2rem; overflow-wrap: anywhere; white-space: pre-wrap; }
.said span { background: color-mix(in srgb, var(--color) var(--w), transparent); border-radius: .2rem; padding: .05em 0; box-decoration-break: clone; -webkit-box-decoration-break: clone; }
.said.writing::after { content: ""; display: inline-block; width: .5em; height: 1em; vertical-align: -.12em; background: var(--teal); margin-left: .1em; }
#sure { margin: 0 0 1.75rem; min-height: 1.3125rem; }
#sources-head + .note { margin-top: 0; }
.sources { list-style: none; margin: 0; padding: 0; display: grid; grid-template-columns: minmax(0, 1fr); gap: 1rem; }
.sources li { border-left: 4px solid var(--color); padding-left: .9rem; min-width: 0; overflow-wrap: anywhere; }
.sources h4 { margin: 0; white-space: pre-wrap; font-size: .9375rem; font-weight: 600; }
.sources h4 small { color: var(--soft); font-weight: 400; margin-left: .5rem; }
.sources p { margin: .25rem 0 0; font-size: .9375rem; white-space: pre-wrap; }
.shares { display: grid; grid-template-columns: 4.5rem minmax(0, 16rem) 2.5rem; gap: .1rem .6rem; align-items: center; font-size: .75rem; color: var(--soft); margin: .25rem 0; }
.shares i { display: block; height: .4rem; border-radius: .2rem; background: var(--rail); overflow: hidden; }
.shares b { display: block; height: 100%; width: var(--w); background: var(--color); }
.shares .before b { opacity: .45; }
.shares em { font-style: normal; text-align: right; }
@media (max-width: 30rem) { .line { flex-direction: column; align-items: stretch; } .said { font-size: 1.125rem; } .shares { grid-template-columns: 4.5rem minmax(0, 1fr) 2.5rem; } }
@media (prefers-reduced-motion: no-preference) { .said.writing::after { animation: blink 1s steps(2) infinite; } @keyframes blink { 50% { opacity: 0; } } }
@media print { form, #status { display: none; } }
`
