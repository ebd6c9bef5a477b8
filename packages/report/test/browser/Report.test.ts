import assert from "node:assert/strict"
import { execFileSync, spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { after, test } from "node:test"
import { pathToFileURL } from "node:url"
import type { Section } from "../../src/Kinds.ts"
import { readUplot } from "../../src/node/UplotFiles.ts"
import { renderReport } from "../../src/RenderReport.ts"
import type { Report } from "../../src/Report.ts"
import { barestReport, finishedReport, interruptedReport, jointReport } from "../support/SampleReport.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-report-"))
after(() => rmSync(folder, { recursive: true, force: true }))

const browser = ["chromium", "chromium-browser", "google-chrome"].find(
  (name) => spawnSync(name, ["--version"]).status === 0,
)

/** What the page is like once a browser has run it, in a frame of that width. */
const measure = async (data: Report<Section>, width: number): Promise<Record<string, unknown>> => {
  assert.ok(browser !== undefined, "missing: a Chromium (chromium or google-chrome on the PATH)")
  const probe = `<script>addEventListener("load", () => setTimeout(() => {
    document.documentElement.dataset.measured = JSON.stringify({
      title: document.title,
      charts: document.querySelectorAll("canvas").length,
      overflow: document.documentElement.scrollWidth - innerWidth,
      width: innerWidth,
      legend: document.querySelector(".u-legend")?.textContent ?? "",
      images: document.images.length,
    })
  }, 200))
  addEventListener("error", (event) => { document.title = "error: " + event.message })</script>`
  const page = renderReport(data, await readUplot()).replace("<head>", `<head>${probe}`)
  const file = join(folder, "report.html")
  writeFileSync(file, page)
  // A window has a least width; a frame has none. Files are strangers to one another unless a flag says otherwise.
  const outer = join(folder, "frame.html")
  writeFileSync(
    outer,
    `<iframe src="report.html" style="width:${width}px;height:800px;border:0"></iframe>
<script>setInterval(() => {
  const measured = document.querySelector("iframe").contentDocument?.documentElement.dataset.measured
  if (measured) document.documentElement.dataset.measured = measured
}, 50)</script>`,
  )
  const dom = execFileSync(
    browser,
    [
      "--headless=new",
      "--no-sandbox",
      "--disable-gpu",
      "--allow-file-access-from-files",
      "--virtual-time-budget=5000",
      `--user-data-dir=${join(folder, "profile")}`,
      "--dump-dom",
      pathToFileURL(outer).href,
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] },
  )
  const [, json = ""] = /data-measured="([^"]*)"/.exec(dom) ?? []
  return JSON.parse(json.replaceAll("&quot;", '"').replaceAll("&amp;", "&"))
}

test("a browser draws the curves, runs nothing that the data hold, and nothing sticks out", async () => {
  for (const width of [1280, 400]) {
    const page = await measure(finishedReport, width)
    assert.equal(page["width"], width)
    assert.equal(page["title"], "recall@1 from 0.012 to 0.832 · tandem dpr train")
    assert.equal(page["charts"], 5)
    assert.equal(page["images"], 0)
    assert.ok(Number(page["overflow"]) <= 0, `${page["overflow"]} pixels stick out at ${width}`)
    assert.match(String(page["legend"]), /742/)
  }
})

test("a run that has not ended has a page, too", async () => {
  const interrupted = await measure(interruptedReport, 400)
  assert.equal(interrupted["charts"], 5)
  assert.ok(Number(interrupted["overflow"]) <= 0)
  const barest = await measure(barestReport, 400)
  assert.equal(barest["charts"], 0)
  assert.equal(barest["title"], "Training has not begun · tandem dpr train")
})

test("parts, logarithmic axes and sections of every kind are drawn, and nothing sticks out", async () => {
  for (const width of [1280, 400]) {
    const page = await measure(jointReport, width)
    assert.equal(page["charts"], 6)
    assert.equal(page["title"], "recall@1 from 0.520 to 0.720 · tandem joint train")
    assert.ok(Number(page["overflow"]) <= 0, `${page["overflow"]} pixels stick out at ${width}`)
  }
})
