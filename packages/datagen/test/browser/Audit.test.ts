// The audit in a browser: filters by mouse and keyboard are the same inputs, and nothing sticks out on a small screen.
import assert from "node:assert/strict"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { pathToFileURL } from "node:url"
import { conversationVerifier, type RejectedLine, reasonOf } from "../../src/index.ts"
import { auditOf, pageOf } from "../support/AuditOf.ts"
import { labelledConversations } from "../support/LabelledReplies.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-audit-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const browser = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"]).status === 0,
)

/** What the page says after inputs were set, in a frame of that width. */
const measure = (page: string, set: string, width: number): Record<string, unknown> => {
  assert.ok(browser !== undefined, "missing: a Chromium (chromium or google-chrome on the PATH)")
  const probe = `<script>addEventListener("load", () => setTimeout(() => {
    const form = document.querySelector(".filters")
    ${set}
    form.dispatchEvent(new Event("input", { bubbles: true }))
    for (const item of document.querySelectorAll(".item")) item.open = true
    document.documentElement.dataset.measured = JSON.stringify({
      said: form.querySelector("output").textContent,
      shown: [...document.querySelectorAll(".item")].filter((item) => item.checkVisibility()).length,
      none: document.querySelector(".none").hidden,
      overflow: document.documentElement.scrollWidth - innerWidth,
    })
  }, 100))</script>`
  writeFileSync(join(folder, "audit.html"), page.replace("<head>", `<head>${probe}`))
  const outer = join(folder, "frame.html")
  writeFileSync(
    outer,
    `<iframe src="audit.html" style="width:${width}px;height:800px;border:0"></iframe>
<script>setInterval(() => {
  const measured = document.querySelector("iframe").contentDocument?.documentElement.dataset.measured
  if (measured) document.documentElement.dataset.measured = measured
}, 50)</script>`,
  )
  const dom = execFileSync(
    browser,
    [
      ...["--headless=new", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files"],
      ...["--virtual-time-budget=5000", `--user-data-dir=${join(folder, "profile")}`, "--dump-dom"],
      pathToFileURL(outer).href,
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  )
  const [, json = ""] = /data-measured="([^"]*)"/.exec(dom) ?? []
  return JSON.parse(json.replaceAll("&quot;", '"').replaceAll("&amp;", "&"))
}

test("filters show what fits, by kind, reason and words, at every width", async () => {
  const replies = labelledConversations()
  const rejected = replies.flatMap(({ label, behaviour, conversation: { item, turns } }): readonly RejectedLine[] => {
    if (label === "good") return []
    const findings = conversationVerifier({ failureBehavior: behaviour })({ item, turns })
    return [{ item, turns, stage: "verify", reason: findings.map(reasonOf).join("; ") }]
  })
  const kept = replies.flatMap(({ label, conversation }) => (label === "good" ? [conversation] : []))
  const page = pageOf(await auditOf(kept, rejected))
  const all = measure(page, "", 400)
  assert.deepEqual([all["said"], all["shown"], all["none"]], ["200 items", 200, true])
  assert.ok(Number(all["overflow"]) <= 0, `${all["overflow"]} pixels stick out`)
  const failed = measure(page, 'form.elements.kind.value = "failed"', 1280)
  assert.deepEqual([failed["said"], failed["shown"]], ["24 of 200", 24])
  const quotes = measure(
    page,
    'form.elements.reason.value = "invented-quote"; form.elements.words.value = "OTTER"',
    1280,
  )
  assert.ok(Number(quotes["shown"]) >= 1 && Number(quotes["shown"]) < 24, `${quotes["shown"]}`)
  assert.equal(measure(page, 'form.elements.words.value = "nothing has this word"', 1280)["none"], false)
})
