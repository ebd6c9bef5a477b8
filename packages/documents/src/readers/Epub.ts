import { strFromU8 } from "fflate"
import { Parser } from "htmlparser2"
import { htmlText } from "./Html.ts"
import { type Reader, Unreadable } from "./Reader.ts"
import { unzip, type ZipFiles } from "./Zip.ts"

/** Electronic books: the pages of their spine, without the table of contents. */
export const readEpub: Reader = (bytes, limits) => {
  const files = unzip(bytes, limits, (name) => /(?:\.xml|\.opf|\.x?html?)$/i.test(name))
  const { title, pages } = packageOf(files)
  const encrypted = files["META-INF/encryption.xml"]
  const locked = encrypted === undefined ? "" : strFromU8(encrypted)
  if (pages.some((page) => locked.includes(encodeURI(page)))) {
    throw new Unreadable("password-protected", "is protected by a key of its seller")
  }
  const paragraphs = pages.flatMap((page) => {
    const file = files[page]
    return file === undefined ? [] : [...htmlText(strFromU8(file), { xml: true }).paragraphs]
  })
  return { paragraphs, ...(title === undefined ? {} : { title }) }
}

interface Package {
  readonly title?: string
  /** Names of files, in the order in which they are read. */
  readonly pages: readonly string[]
}

const packageOf = (files: ZipFiles): Package => {
  const path = elementsOf(required(files, "META-INF/container.xml")).find(({ name }) => name === "rootfile")
    ?.attributes["full-path"]
  if (path === undefined) throw new Unreadable("damaged", "names no package in META-INF/container.xml")
  const elements = elementsOf(required(files, path))
  const items = new Map<string, Readonly<Record<string, string>>>()
  for (const { name, attributes } of elements) {
    if (name === "item" && attributes["id"] !== undefined) items.set(attributes["id"], attributes)
  }
  const pages = elements.flatMap(({ name, attributes }) => {
    const item = name === "itemref" ? items.get(attributes["idref"] ?? "") : undefined
    const isContents = (item?.["properties"] ?? "").split(" ").includes("nav")
    return item?.["href"] === undefined || isContents ? [] : [resolved(path, item["href"])]
  })
  const title = elements.find(({ name }) => name === "dc:title")?.text
  return { pages, ...(title === undefined ? {} : { title }) }
}

const required = (files: ZipFiles, name: string): string => {
  const file = files[name]
  if (file === undefined) throw new Unreadable("damaged", `lacks ${name}`)
  return strFromU8(file)
}

/** A reference of the package as the name of a file; it cannot leave the archive. */
const resolved = (from: string, href: string): string => {
  const { pathname } = new URL(href, new URL(from, "file:///"))
  return decodeURIComponent(pathname.slice(1))
}

interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  text: string
}

const elementsOf = (xml: string): readonly Element[] => {
  const elements: Element[] = []
  new Parser(
    {
      onopentag: (name, attributes) => elements.push({ name, attributes, text: "" }),
      ontext: (text) => {
        const last = elements.at(-1)
        if (last !== undefined) last.text += text
      },
    },
    { xmlMode: true },
  ).end(xml)
  return elements
}
