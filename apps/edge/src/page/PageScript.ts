/**
 * What the page to ask in does. Plain JavaScript as text, because it runs in a browser. Whatever passages and answers hold
 * becomes text of an element, never markup.
 */
export const pageScript = `"use strict"
{
  const at = (id) => document.getElementById(id)
  const [form, query, send, status, result] = ["form", "query", "send", "status", "result"].map(at)
  const [asked, answer, sure, sources] = ["asked", "answer", "sure", "sources"].map(at)
  const colors = ["teal", "amber", "violet", "rose", "blue", "grey"]
  let running

  const element = (name, text, kind) => {
    const made = document.createElement(name)
    if (text !== undefined) made.textContent = text
    if (kind !== undefined) made.className = kind
    return made
  }
  const percent = (share) => (100 * Math.min(1, Math.max(0, share))).toFixed(1) + "%"
  const share = (name, kind, value) => {
    const [bar, fill] = [element("i", undefined, kind), element("b")]
    fill.style.setProperty("--w", percent(value))
    bar.append(fill)
    return [element("span", name), bar, element("em", value.toFixed(2))]
  }
  const color = (index) => colors[index % colors.length]

  const showSources = (found) => {
    sources.replaceChildren(...found.map(({ id, title, text, prior, weight }, index) => {
      const item = element("li", undefined, color(index))
      const head = element("h4", index + 1 + "  " + (title || id))
      if (title) head.append(element("small", id))
      const shares = element("div", undefined, "shares")
      shares.append(...(prior === undefined
        ? share("found", "before", weight)
        : [...share("found", "before", prior), ...share("explains", "after", weight)]))
      item.append(head, shares, element("p", text))
      return item
    }))
  }
  const showToken = ({ text, weights }) => {
    const blank = text.length - text.trimStart().length
    if (blank > 0) answer.append(text.slice(0, blank))
    if (blank === text.length) return
    const most = Math.max(0, ...weights)
    const source = Math.max(0, weights.indexOf(most))
    const word = element("span", text.slice(blank), color(source))
    word.style.setProperty("--w", percent(0.1 + 0.5 * most))
    word.title = "passage " + (source + 1) + ": " + most.toFixed(2)
    answer.append(word)
  }
  const showWhole = (whole) => {
    answer.replaceChildren()
    whole.tokens.forEach(showToken)
    if (whole.answer === "") answer.append(element("em", "nothing"))
    sure.textContent = "Probability of this answer " + Math.exp(whole.confidence.logprob).toPrecision(2)
      + (whole.finish === "length" ? "; it ends here because it is as long as it may be" : "")
    showSources(whole.sources)
  }

  // Server-sent events of a response, as pairs of name and data.
  async function* eventsOf(response) {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
    let rest = ""
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      const parts = (rest + value).split("\\n\\n")
      rest = parts.pop()
      for (const part of parts) {
        const lines = part.split("\\n")
        const field = (name) => lines.filter((line) => line.startsWith(name + ": ")).map((line) => line.slice(name.length + 2)).join("\\n")
        yield [field("event"), JSON.parse(field("data"))]
      }
    }
  }

  const ask = async (text) => {
    const controller = new AbortController()
    running = controller
    const key = at("key").value
    const k = Number(at("k").value)
    send.textContent = "Stop"
    send.classList.add("stop")
    status.className = ""
    status.textContent = "Reading passages …"
    try {
      const response = await (globalThis.tandem ?? fetch)(new Request("ask", {
        method: "POST",
        headers: { "content-type": "application/json", ...(key === "" ? {} : { authorization: "Bearer " + key }) },
        body: JSON.stringify({ query: text, stream: true, ...(k > 0 ? { k } : {}) }),
        signal: controller.signal,
      }))
      if (!response.ok) throw new Error((await response.json()).error.message)
      asked.textContent = text
      answer.replaceChildren()
      sure.textContent = ""
      sources.replaceChildren()
      result.hidden = false
      answer.classList.add("writing")
      let whole = false
      for await (const [name, data] of eventsOf(response)) {
        if (name === "error") throw new Error(data.error.message)
        if (name === "sources") { showSources(data.sources); status.textContent = "Writing …" }
        if (name === "token") showToken(data)
        if (name === "done") { showWhole(data); whole = true }
      }
      if (!whole) throw new Error("the connection was lost")
      status.textContent = "Answered."
    } catch (cause) {
      const stopped = controller.signal.aborted
      status.className = stopped ? "" : "failed"
      status.textContent = stopped ? "Stopped." : "No answer: " + (cause instanceof Error ? cause.message : String(cause))
    } finally {
      answer.classList.remove("writing")
      send.textContent = "Ask"
      send.classList.remove("stop")
      running = undefined
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault()
    if (running !== undefined) return running.abort()
    const text = query.value.trim()
    if (text !== "") void ask(text)
  })
  query.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
    event.preventDefault()
    if (running === undefined) form.requestSubmit()
  })
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") running?.abort()
  })
}
`
