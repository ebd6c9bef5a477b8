// A run exported as a page answers in a headless Chromium, without a server that computes.
import assert from "node:assert/strict"
import { mkdtempSync, rmSync, statSync } from "node:fs"
import { readFile } from "node:fs/promises"
import { createServer } from "node:http"
import { tmpdir } from "node:os"
import { extname, join } from "node:path"
import { after, before, test } from "node:test"
import { filesIn } from "@tandem/files/node/FilesIn"
import { openRag } from "@tandem/rag/web/OpenRag"
import { chromium } from "playwright-core"
import { questions, smallRun } from "../../packages/rag/test/support/SmallRun.ts"
import { exported } from "../support/Exported.ts"
import { chromiumProgram } from "../support/SwiftShader.ts"

const folder = mkdtempSync(join(tmpdir(), "tandem-page-"))
const out = join(folder, "page")
const types: Readonly<Record<string, string>> = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css" }
const server = createServer(async (request, response) => {
  const path = join(out, request.url === "/" ? "index.html" : decodeURIComponent(request.url ?? ""))
  if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) return response.writeHead(404).end()
  response.setHeader("content-type", types[extname(path)] ?? "application/octet-stream")
  return response.end(request.method === "HEAD" ? undefined : await readFile(path))
})
before(async () => {
  await smallRun(join(folder, "run"))
  await exported({ run: join(folder, "run"), target: "page", out })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
})
after(() => {
  server.close()
  rmSync(folder, { recursive: true, force: true })
})

test("the page opens the run that lies beside it and answers as its files do", async () => {
  const address = server.address()
  assert.ok(address !== null && typeof address !== "string")
  const browser = await chromium.launch({ executablePath: chromiumProgram(), args: ["--no-sandbox"] })
  try {
    const page = await browser.newPage()
    const printed: string[] = []
    page.on("console", (message) => printed.push(message.text()))
    page.on("pageerror", (error) => printed.push(error.message))
    await page.goto(`http://127.0.0.1:${address.port}/`)
    await page.keyboard.type(questions[0]!)
    await page.keyboard.press("Enter")
    await page.waitForFunction(() => /^(Answered|No answer)/.test(document.getElementById("status")?.textContent ?? ""))
    assert.equal(await page.textContent("#status"), "Answered.")
    await using own = await openRag(filesIn(join(out, "run")))
    const { answer, sources } = await own.ask(questions[0]!)
    assert.equal((await page.textContent("#answer"))?.trim(), answer)
    const shown = await page.locator("#sources h4 small").allTextContents()
    assert.deepEqual(
      shown,
      sources.map(({ id }) => id),
    )
    // The page says itself what it may do, and does nothing else.
    const evaluated = page.evaluate(() => {
      const script = document.createElement("script")
      script.textContent = "globalThis.foreign = true"
      document.body.append(script)
    })
    await assert.rejects(evaluated, /TrustedScript/)
    assert.deepEqual(
      printed.filter((line) => !/TrustedScript|status of 404/.test(line)),
      [],
    )
  } finally {
    await browser.close()
  }
})
