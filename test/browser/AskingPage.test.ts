// The page to ask in, in a headless Chromium: by keyboard alone, with passages that hold markup.
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { type HandlerOptions, makeHandler } from "@tandem/edge"
import { listen } from "@tandem/edge/node/Listen"
import { Effect } from "effect"
import { type Browser, chromium, type Page } from "playwright-core"
import { type EchoOptions, echoSystem } from "../../apps/edge/test/support/EchoSystem.ts"
import { chromiumProgram } from "../support/SwiftShader.ts"

let browser: Browser
before(async () => {
  browser = await chromium.launch({ executablePath: chromiumProgram(), args: ["--no-sandbox"] })
})
after(() => browser?.close())

/** A page on a server of its own, which may have printed nothing when `look` has ended. */
const onPage = async (
  look: (page: Page) => Promise<void>,
  options: HandlerOptions = {},
  echo: EchoOptions = {},
): Promise<void> => {
  const handler = makeHandler(echoSystem(echo), options)
  const { url, close } = await Effect.runPromise(listen(handler.fetch, { port: 0 }))
  const page = await browser.newPage()
  const printed: string[] = []
  page.on("console", (message) => printed.push(message.text()))
  page.on("pageerror", (error) => printed.push(error.message))
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith("data:")) printed.push(request.url())
  })
  try {
    await page.goto(url)
    await look(page)
  } finally {
    await page.close()
    await handler.close(1)
    await close()
  }
  assert.deepEqual(
    printed.filter((line) => !/status of 401/.test(line)),
    [],
  )
}

const ask = async (page: Page, question: string): Promise<void> => {
  await page.keyboard.type(question)
  await page.keyboard.press("Enter")
}
const status = (page: Page, text: string) =>
  page.waitForFunction((word) => document.getElementById("status")?.textContent?.startsWith(word), text)

test("a question is typed, answered and shown with its sources, whose markup is text", () =>
  onPage(async (page) => {
    await ask(page, "mill <img src=x onerror=alert(1)>")
    await status(page, "Answered.")
    assert.equal(await page.textContent("#answer"), "mill <img src=x onerror=alert(1)>")
    assert.deepEqual(await page.locator("#sources h4").allTextContents(), ["1  <b>0</b>p0", "2  <b>1</b>p1"])
    assert.equal(await page.locator("main img, main b:not(.shares b)").count(), 0)
    const [first] = await page.locator("#answer span").evaluateAll((words) => words.map(({ className }) => className))
    assert.equal(first, "teal")
  }))

test("Escape stops the writing, and a missing key is said", async () => {
  await onPage(
    async (page) => {
      await ask(page, "long")
      await status(page, "Writing")
      await page.keyboard.press("Escape")
      await status(page, "Stopped.")
    },
    {},
    { pause: 20, tail: 1000 },
  )
  await onPage(
    async (page) => {
      await ask(page, "who?")
      await status(page, "No answer: a key is needed")
      await page.locator("summary").press("Enter")
      await page.locator("#key").fill("sesame")
      await page.locator("#query").press("Enter")
      await status(page, "Answered.")
    },
    { apiKey: "sesame" },
  )
})

for (const colorScheme of ["light", "dark"] as const)
  test(`words can be read in ${colorScheme} colours, and nothing is wider than a narrow screen`, () =>
    onPage(async (page) => {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width: 320, height: 700 })
      await ask(page, `${"averyveryverylongword".repeat(4)} b`)
      await status(page, "Answered.")
      const [width, contrast] = await page.evaluate(() => {
        const light = (color: string): number => {
          const canvas = document.createElement("canvas").getContext("2d")!
          canvas.fillStyle = color
          canvas.fillRect(0, 0, 1, 1)
          const [r = 0, g = 0, b = 0] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
            const share = value / 255
            return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4
          })
          return 0.2126 * r + 0.7152 * g + 0.0722 * b
        }
        const { backgroundColor, color } = getComputedStyle(document.body)
        const pair = [light(backgroundColor), light(color)].sort((a, b) => b - a)
        return [document.documentElement.scrollWidth, (pair[0]! + 0.05) / (pair[1]! + 0.05)]
      })
      assert.ok(width! <= 320, `${width}`)
      assert.ok(contrast! > 7, `${contrast}`)
    }))
