/** Questions that unfold: what kinds with such have in common. */
export const leafed = `
.example { border-top: 1px solid var(--line); padding: 1rem 0; }
.example:last-of-type { border-bottom: 1px solid var(--line); }
.example summary { cursor: pointer; list-style: none; display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: baseline; justify-content: space-between; border-radius: .25rem; }
.example summary::-webkit-details-marker { display: none; }
.example summary:focus-visible { outline: 2px solid var(--teal); outline-offset: 4px; }
.question { font-size: 1.125rem; line-height: 1.4; overflow-wrap: anywhere; flex: 1 1 24rem; padding-left: 1.25rem; text-indent: -1.25rem; }
.question::before { content: "+"; display: inline-block; width: 1.25rem; text-indent: 0; color: var(--soft); font-family: ui-monospace, monospace; }
[open] > summary .question::before { content: "−"; }
.places { padding-left: 1.25rem; display: flex; flex-wrap: wrap; gap: 0 1rem; font-size: .8125rem; color: var(--soft); }
.place.first { color: var(--ink); font-weight: 500; }
.answers { margin: .35rem 0 0 1.25rem; color: var(--soft); font-size: .9375rem; }
.meta { color: var(--soft); font-size: .8125rem; display: flex; gap: .5em; }
.meta .score { margin-left: auto; }
.gold { background: var(--gold); color: var(--gold-ink); border-radius: .25rem; padding: 0 .4em; font-size: .75rem; font-weight: 600; }
@media print { .example { break-inside: avoid; } .question::before { content: none; } }
@media (prefers-reduced-motion: no-preference) { .example summary:hover .question { color: var(--teal); transition: color .15s; } }
`

/** On paper all of them are unfolded. */
export const unfoldToPrint = `addEventListener("beforeprint", () => {
  for (const example of document.querySelectorAll("details.example")) example.open = true
})`
