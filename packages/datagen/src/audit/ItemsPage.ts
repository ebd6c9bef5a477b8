/** Rules of the items' list. What is trained differs from what is masked in more than its colour. */
export const itemsStyle = `
.filters { display: flex; flex-wrap: wrap; gap: .75rem 1.25rem; align-items: end; margin: 0 0 1rem; padding: .9rem 1rem; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; position: sticky; top: 0; z-index: 1; }
.filters fieldset { border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem; }
.filters legend, .filters > label { font-size: .8125rem; color: var(--soft); padding: 0; }
.filters legend { margin-bottom: .25rem; }
.filters > label { display: grid; gap: .25rem; }
.filters .grow { flex: 1 1 12rem; }
.filters select, .filters input[type=search] { font: inherit; font-size: .9375rem; color: var(--ink); background: var(--page); border: 1px solid var(--line); border-radius: .375rem; padding: .3rem .5rem; width: 100%; min-height: 2.1rem; }
.filters output { font-size: .875rem; color: var(--soft); min-width: 6.5rem; text-align: right; padding-bottom: .35rem; }
.pill input { position: absolute; opacity: 0; }
.pill span { display: inline-block; font-size: .9375rem; padding: .25rem .7rem; border: 1px solid var(--line); border-radius: 1rem; background: var(--page); color: var(--ink); cursor: pointer; }
.pill input:checked + span { background: var(--teal); border-color: var(--teal); color: var(--page); }
.pill input:focus-visible + span, .filters select:focus-visible, .filters input:focus-visible, .item summary:focus-visible { outline: 2px solid var(--teal); outline-offset: 2px; }
.legend { font-size: .875rem; color: var(--soft); margin: 0 0 1rem; }
.item { border-top: 1px solid var(--line); }
.item:last-child { border-bottom: 1px solid var(--line); }
.item > summary { cursor: pointer; list-style: none; padding: .75rem 0 .75rem 1.25rem; display: grid; gap: .3rem; position: relative; overflow-wrap: anywhere; }
.item > summary::-webkit-details-marker { display: none; }
.item > summary::before { content: "▸"; position: absolute; left: 0; top: .8rem; color: var(--soft); }
.item[open] > summary::before { content: "▾"; }
.item .question { font-size: 1.0625rem; font-weight: 600; line-height: 1.3; }
.item[data-kind=rejected] .question { font-family: inherit; font-size: .9375rem; font-weight: 400; color: var(--soft); }
.badges { display: flex; flex-wrap: wrap; gap: .35rem .6rem; align-items: baseline; font-size: .8125rem; }
.badge { font-size: .75rem; font-weight: 600; padding: .05rem .5rem; border-radius: 1rem; border: 1px solid currentColor; white-space: nowrap; }
.badge.success { color: var(--good); } .badge.failed { color: var(--amber); } .badge.rejected, .badge.faulty { color: var(--bad); }
.badge.true { color: var(--gold-ink); background: var(--gold); border-color: var(--gold); }
.source { color: var(--soft); font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace; font-size: .8125rem; }
.reason { font-size: .9375rem; }
.item > :not(summary) { margin-left: 1.25rem; }
.item h3 { margin: 1.1rem 0 .5rem 1.25rem; }
.item > *:last-child { margin-bottom: 1.5rem; }
.faults { color: var(--bad); padding-left: 1rem; font-size: .9375rem; }
.chunks { list-style: none; padding: 0; display: grid; gap: .6rem; }
.chunks li { border-left: 3px solid var(--line); padding-left: .75rem; min-width: 0; overflow-wrap: anywhere; font-size: .9375rem; }
.chunks li.is-true { border-color: #d9a514; }
.chunks p { margin: 0; white-space: pre-line; }
.chunks .meta { margin-bottom: .15rem; font-size: .8125rem; color: var(--soft); }
.more summary { cursor: pointer; list-style: none; }
.more summary::-webkit-details-marker { display: none; }
.more summary u { color: var(--teal); text-decoration: underline dotted; text-underline-offset: .2em; white-space: nowrap; }
.more[open] summary { display: none; }
.segments { background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .9375rem; line-height: 1.65; }
.trained { background: color-mix(in srgb, var(--good) 16%, transparent); box-shadow: inset 0 -2px 0 var(--good); padding: .08em 0; -webkit-box-decoration-break: clone; box-decoration-break: clone; }
.masked { color: var(--soft); }
.before { white-space: normal; margin-bottom: .5rem; }
.before summary { cursor: pointer; color: var(--soft); font-size: .875rem; }
.before[open] { white-space: pre-wrap; }
.said { border-left: 3px solid var(--bad); padding-left: .75rem; font-size: .9375rem; overflow-wrap: anywhere; }
.said p { margin: 0 0 .5rem; white-space: pre-line; }
.said b { color: var(--soft); font-size: .8125rem; font-weight: 600; margin-right: .35em; }
.thoughts { font-style: italic; color: var(--soft); white-space: pre-line; }
@media (max-width: 46rem) { .filters { position: static; } .filters output { text-align: left; } .item > :not(summary), .item h3 { margin-left: 0; } }
@media print { .filters { display: none; } }
`

/** Shows the items that fit the filters, and says how many there are. */
export const filterScript = `
{
  const form = document.querySelector(".filters")
  const items = [...document.querySelectorAll(".item")]
  const none = document.querySelector(".none")
  const chosen = (name) => form.elements[name]?.value ?? ""
  const texts = new Map(items.map((item) => [item, item.textContent.toLowerCase()]))
  const fits = (item) => {
    const { kind, stage, reasons } = item.dataset
    const [wanted, by, reason, words] = [chosen("kind"), chosen("stage"), chosen("reason"), chosen("words").trim().toLowerCase()]
    const faulty = kind !== "rejected" && reasons !== ""
    return (wanted === "all" || wanted === kind || (wanted === "faulty" && faulty)) &&
      (by === "" || stage === by) &&
      (reason === "" || reasons.split("|").includes(reason)) &&
      words.split(/\\s+/).every((word) => texts.get(item).includes(word))
  }
  const update = () => {
    let shown = 0
    for (const item of items) {
      item.hidden = !fits(item)
      if (!item.hidden) shown += 1
    }
    none.hidden = shown > 0
    form.querySelector("output").textContent = shown === items.length ? items.length + " items" : shown + " of " + items.length
  }
  form.addEventListener("input", update)
  form.addEventListener("submit", (event) => event.preventDefault())
  update()
}
`
