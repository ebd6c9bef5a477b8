import assert from "node:assert/strict"
import { test } from "node:test"
import { isProblem } from "@tandem/documents"
import { readDocuments } from "@tandem/documents/node/ReadDocuments"
import { Effect, Stream } from "effect"
import { folderOf } from "../files/Folder.ts"
import { docxOf, encryptedOffice, epubOf, pdfOf } from "../files/MakeFiles.ts"

const read = async (folder: string, options = {}) =>
  Effect.runPromise(Stream.runCollect(readDocuments(folder, options)))

const only = async (t: Parameters<typeof folderOf>[0], name: string, content: string | Uint8Array, options = {}) => {
  const [item] = await read(await folderOf(t, { [name]: content }), options)
  assert.ok(item !== undefined)
  return item
}

test("Markdown is read without its marks", async (t) => {
  const markdown = [
    '---\ntitle: "The guide"\ndate: 2026\n---',
    "# Rivers &amp; seas",
    "A [river](https://example.org/river) carries **much** `snow <br>`\nto the sea.\n<!-- a comment -->",
    "- one\n- two\n  and more\n  - deeper",
    "```js\nconst a = 1\n\nconst b = 2\n```",
    "| a | b |\n| - | - |\n| 1 | *2* |",
    "> Quoted.",
    "<p>Raw <b>page</b></p>",
    "Second level\n---",
  ].join("\n\n")
  const item = await only(t, "a.md", markdown)
  assert.ok(!isProblem(item))
  assert.equal(item.title, "The guide")
  assert.equal(
    item.text,
    [
      "Rivers & seas",
      "A river carries much snow <br> to the sea.",
      "- one\n- two and more\n  - deeper",
      "const a = 1\n\nconst b = 2",
      "a | b\n1 | 2",
      "Quoted.",
      "Raw page",
      "Second level",
    ].join("\n\n"),
  )
  assert.deepEqual(
    item.headings.map(({ level, text, start }) => [level, text, item.text.slice(start, start + text.length)]),
    [
      [1, "Rivers & seas", "Rivers & seas"],
      [2, "Second level", "Second level"],
    ],
  )
})

test("a page is read without what is around it", async (t) => {
  const item = await only(
    t,
    "a.html",
    `<!doctype html><html><head><title>Rivers &amp; seas</title><style>p { color: red }</style></head>
    <body><nav><a href="/">Home</a></nav><div role="navigation"><div>Up</div></div><h1>Rivers<a class="headerlink">¶</a></h1><p>They carry
      <b>snow</b>&nbsp;&mdash; much.<br>Always.</p><script>alert(1)</script>
      <ul><li>one<li><p>two</p></li></ul><pre>  a
  b</pre><table><tr><th>x</th><th>y</th></tr><tr><td>1</td><td>2</td></tr></table></body></html>`,
  )
  assert.ok(!isProblem(item))
  assert.equal(item.title, "Rivers & seas")
  assert.equal(
    item.text,
    ["Rivers", "They carry snow — much.\nAlways.", "- one\n- two", "  a\n  b", "x | y\n1 | 2"].join("\n\n"),
  )
})

test("a table of very many rows is read in time that grows with it alone", async (t) => {
  const row = "<tr><td>some words</td><td>and more</td></tr>"
  const item = await only(t, "a.html", `<table>${row.repeat(30_000)}</table>`)
  assert.ok(!isProblem(item))
  assert.equal(item.text, Array(30_000).fill("some words | and more").join("\n"))
})

test("PDF keeps paragraphs and headings, and leaves out page numbers", async (t) => {
  const pages = ["1", "2", "3"].map((page) => [
    { text: `About ${page}`, y: 760, size: 18 },
    { text: "Rivers carry snow to the sea, and that is a long jour-", y: 720, size: 10 },
    { text: "ney for the snow.", y: 708, size: 10 },
    { text: "Islands wait for ships", y: 684, size: 10 },
    { text: "that sail in spring.", y: 672, size: 10 },
    { text: page, y: 20, size: 8 },
  ])
  const item = await only(t, "a.pdf", pdfOf(pages, { title: "The rivers" }))
  assert.ok(!isProblem(item), isProblem(item) ? item.message : "")
  assert.equal(item.title, "The rivers")
  const page =
    "Rivers carry snow to the sea, and that is a long journey for the snow.\n\nIslands wait for ships that sail in spring."
  assert.equal(item.text, [1, 2, 3].map((number) => `About ${number}\n\n${page}`).join("\n\n"))
  assert.deepEqual(
    item.headings.map(({ text }) => text),
    ["About 1", "About 2", "About 3"],
  )
})

test("Word's documents keep paragraphs and headings", async (t) => {
  const item = await only(
    t,
    "a.docx",
    docxOf([["Rivers", "Heading1"], ["They carry snow."], ["And ice."]], "The rivers"),
  )
  assert.ok(!isProblem(item), isProblem(item) ? item.message : "")
  assert.equal(item.title, "The rivers")
  assert.equal(item.text, "Rivers\n\nThey carry snow.\n\nAnd ice.")
  assert.deepEqual(item.headings, [{ level: 1, start: 0, text: "Rivers" }])
})

test("books are read in the order of their spine", async (t) => {
  const item = await only(
    t,
    "a.epub",
    epubOf("The rivers", ["<h1>One</h1><p>First.</p>", "<h1>Two</h1><p>Second.</p>"]),
  )
  assert.ok(!isProblem(item), isProblem(item) ? item.message : "")
  assert.equal(item.title, "The rivers")
  assert.equal(item.text, "One\n\nFirst.\n\nTwo\n\nSecond.")
})

test("files that are protected, damaged or too large when unpacked are told apart", async (t) => {
  const reasonOf = async (name: string, content: string | Uint8Array, options = {}): Promise<string> => {
    const item = await only(t, name, content, options)
    return isProblem(item) ? item.reason : `a document: ${item.text.slice(0, 60)}`
  }
  const docx = docxOf([["x".repeat(100_000)]])
  const pdf = pdfOf([[{ text: "a", y: 700, size: 10 }]], { padding: 400_000 })
  const limit = { maxUnpackedBytes: 50_000 }
  assert.equal(await reasonOf("a.docx", encryptedOffice()), "password-protected")
  assert.equal(await reasonOf("a.docx", docx, limit), "too-large")
  assert.equal(await reasonOf("a.docx", docx.subarray(0, 300)), "damaged")
  assert.equal(await reasonOf("a.docx", "no archive"), "damaged")
  assert.equal(await reasonOf("a.epub", docx), "damaged")
  assert.equal(await reasonOf("a.pdf", "no PDF"), "damaged")
  assert.equal(await reasonOf("a.pdf", pdf, limit), "too-large")
  const endless = `%PDF-1.4\n${"stream\n\u0078\u0001".repeat(100)}`
  assert.equal(await reasonOf("a.pdf", endless), "damaged")
  assert.equal(await reasonOf("a.pdf", pdfOf([[]])), "empty")
  assert.equal(
    await reasonOf("a.pdf", pdfOf([[{ text: "secret", y: 700, size: 10 }]], { password: true })),
    "password-protected",
  )
  assert.equal(await reasonOf("a.html", "<i>".repeat(20_000)), "damaged")
  assert.equal(await reasonOf("a.md", "> ".repeat(20_000)), "damaged")
  const locked = epubOf("Locked", ["<p>First.</p>"], { encrypted: true })
  assert.equal(await reasonOf("a.epub", locked), "password-protected")
})
