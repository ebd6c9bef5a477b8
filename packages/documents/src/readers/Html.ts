import { Parser } from "htmlparser2"
import type { Paragraph } from "../Document.ts"
import { decodeText } from "./PlainText.ts"
import { type Extracted, type Reader, Unreadable } from "./Reader.ts"

/** Web pages: what is read of them, without navigation, forms and scripts. */
export const readHtml: Reader = (bytes) => htmlText(decodeText(bytes))

/** The text of a page, or of a piece of one; `xml` where elements are written as XML wants it. */
export const htmlText = (html: string, { xml = false }: { readonly xml?: boolean } = {}): Extracted => {
  const page = new Page()
  const parser = new Parser(
    {
      onopentag: (name, attributes) => page.open(name, attributes),
      onclosetag: (name) => page.close(name),
      ontext: (text) => page.text(text),
    },
    { xmlMode: xml, decodeEntities: true, lowerCaseTags: true, recognizeSelfClosing: true },
  )
  parser.end(html)
  return page.finish()
}

/** Elements that end the paragraph before them, and whose end ends one. */
const blocks = new Set(
  `address article aside blockquote body caption center dd details dialog div dl dt fieldset figcaption figure footer form
  header hr html legend main menu ol p pre section summary table ul`.split(/\s+/),
)
const skipped = new Set(
  `audio button canvas datalist iframe math nav noframes noscript object option script select style svg template textarea
  video`.split(/\s+/),
)
/** What an element is for by its ARIA role, and anchors that documentation tools put behind headings. */
const isAside = ({ role = "", class: classes = "" }: Attributes): boolean =>
  asides.has(role) || /(^|\s)headerlink(\s|$)/.test(classes)
const asides = new Set(["navigation", "search", "contentinfo"])
type Attributes = Readonly<Partial<Record<string, string>>>
const lists = new Set(["ol", "ul", "menu", "table", "dl"])
const deepest = 5000

class Page {
  readonly #paragraphs: Paragraph[] = []
  /** Lines of the paragraph that have ended; long ones are not looked into again. */
  #before = ""
  /** What follows them. */
  #current = ""
  #level: number | undefined
  #title = ""
  #depth = 0
  /** The depth of the element that is skipped with all that it holds. */
  #skippedFrom: number | undefined
  #lists = 0
  #preformatted = 0
  #inTitle = false

  open(name: string, attributes: Attributes): void {
    if (++this.#depth > deepest) throw new Unreadable("damaged", `nests elements more than ${deepest} deep`)
    if (skipped.has(name) || isAside(attributes)) this.#skippedFrom ??= this.#depth
    if (this.#skippedFrom !== undefined) return
    const level = levelOf(name)
    if (level !== undefined) this.#end(level)
    else if (name === "title") this.#inTitle = true
    else if (name === "br") this.#break()
    else if (name === "li" || name === "tr" || name === "dd" || name === "dt") this.#line(name === "li" ? "- " : "")
    else if (name === "td" || name === "th") this.#cell()
    else if (blocks.has(name)) {
      if (this.#lists === 0 || name === "pre") this.#end()
      else this.#line("")
      if (lists.has(name)) this.#lists++
      if (name === "pre") this.#preformatted++
    }
  }

  close(name: string): void {
    const depth = this.#depth--
    if (this.#skippedFrom !== undefined) {
      if (depth === this.#skippedFrom) this.#skippedFrom = undefined
      return
    }
    if (levelOf(name) !== undefined) this.#end()
    else if (name === "title") this.#inTitle = false
    else if (blocks.has(name)) {
      if (lists.has(name) && this.#lists > 0) this.#lists--
      if (name === "pre" && this.#preformatted > 0) this.#preformatted--
      if (this.#lists === 0 || name === "pre") this.#end()
    }
  }

  text(text: string): void {
    if (this.#inTitle) this.#title += text
    else if (this.#skippedFrom !== undefined) return
    else if (this.#preformatted > 0) this.#current += text
    else {
      const plain = text.replaceAll(/\s+/g, " ")
      this.#current += /(^|\s)$/.test(this.#current.slice(-1)) ? plain.trimStart() : plain
    }
  }

  finish(): Extracted {
    this.#end()
    return { paragraphs: this.#paragraphs, ...(this.#title.trim() === "" ? {} : { title: this.#title }) }
  }

  #line(start: string): void {
    if (this.#current !== "" && !this.#current.endsWith("\n")) {
      // An item whose text stands in a paragraph of its own.
      if (this.#current.endsWith("\n- ") || this.#current === "- ") return
      this.#break()
    }
    this.#current += start
  }

  #break(): void {
    this.#before += `${this.#current}\n`
    this.#current = ""
  }

  #cell(): void {
    if (this.#current !== "" && !this.#current.endsWith("\n")) this.#current = `${this.#current.trimEnd()} | `
  }

  #end(next?: number): void {
    const whole = this.#before + this.#current
    if (whole.trim() !== "") {
      const level = this.#level === undefined ? {} : { level: this.#level }
      const text = this.#level === undefined ? whole : whole.trim().replaceAll(/\s+/g, " ")
      this.#paragraphs.push({ text, ...level })
    }
    this.#before = ""
    this.#current = ""
    this.#level = next
  }
}

const levelOf = (name: string): number | undefined => {
  const level = name.length === 2 && name.startsWith("h") ? name.charCodeAt(1) - 48 : 0
  return level >= 1 && level <= 6 ? level : undefined
}
