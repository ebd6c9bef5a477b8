// Small files of binary formats, made by hand.
import { deflateSync } from "node:zlib"
import { strToU8, zipSync } from "fflate"

interface PdfText {
  readonly text: string
  readonly y: number
  readonly size: number
}

/** A PDF of pages of lines; `padding` are bytes of white space that a page's content packs. */
export const pdfOf = (
  pages: readonly (readonly PdfText[])[],
  { title, padding = 0, password = false }: { title?: string; padding?: number; password?: boolean } = {},
): Uint8Array => {
  const objects: string[] = []
  const kids = pages.map((_, index) => `${4 + 2 * index} 0 R`)
  objects.push("<< /Type /Catalog /Pages 2 0 R >>")
  objects.push(`<< /Type /Pages /Kids [${kids.join(" ")}] /Count ${pages.length} >>`)
  objects.push("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
  for (const [index, lines] of pages.entries()) {
    const shown = lines.map(({ text, y, size }) => `BT /F1 ${size} Tf 1 0 0 1 50 ${y} Tm (${text}) Tj ET`).join("\n")
    const content = deflateSync(`${shown}${" ".repeat(padding)}`)
    objects.push(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Resources << /Font << /F1 3 0 R >> >> /Contents ${5 + 2 * index} 0 R >>`,
    )
    objects.push(
      `<< /Length ${content.length} /Filter /FlateDecode >>\nstream\n${content.toString("latin1")}\nendstream`,
    )
  }
  objects.push(`<< /Title (${title ?? ""}) >>`)
  const info = objects.length
  const key = "00".repeat(32)
  if (password) objects.push(`<< /Filter /Standard /V 1 /R 2 /O <${key}> /U <${key}> /P -4 >>`)
  let text = "%PDF-1.4\n"
  const places = objects.map((object, index) => {
    const at = text.length
    text += `${index + 1} 0 obj\n${object}\nendobj\n`
    return at
  })
  const table = text.length
  text += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`
  for (const at of places) text += `${String(at).padStart(10, "0")} 00000 n \n`
  const locked = password ? ` /Encrypt ${objects.length} 0 R /ID [<${key}> <${key}>]` : ""
  text += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R /Info ${info} 0 R${locked} >>\nstartxref\n${table}\n%%EOF\n`
  return Buffer.from(text, "latin1")
}

/** A document of Word: paragraphs with the names of their styles. */
export const docxOf = (paragraphs: readonly (readonly [text: string, style?: string])[], title = ""): Uint8Array => {
  const body = paragraphs
    .map(([text, style]) => {
      const properties = style === undefined ? "" : `<w:pPr><w:pStyle w:val="${style}"/></w:pPr>`
      return `<w:p>${properties}<w:r><w:t>${text}</w:t></w:r></w:p>`
    })
    .join("")
  const word = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
  const packages = "http://schemas.openxmlformats.org/package/2006"
  const document = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
  return zipSync({
    "[Content_Types].xml": strToU8(
      `<Types xmlns="${packages}/content-types"><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>`,
    ),
    "_rels/.rels": strToU8(
      `<Relationships xmlns="${packages}/relationships"><Relationship Id="r1" Type="${document}" Target="word/document.xml"/></Relationships>`,
    ),
    "word/document.xml": strToU8(`<w:document xmlns:w="${word}"><w:body>${body}</w:body></w:document>`),
    "docProps/core.xml": strToU8(`<cp:coreProperties><dc:title>${title}</dc:title></cp:coreProperties>`),
  })
}

/** A book of pages. */
export const epubOf = (title: string, pages: readonly string[], { encrypted = false } = {}): Uint8Array => {
  const name = (index: number): string => `text/page ${index}.xhtml`
  const items = pages.map(
    (_, index) => `<item id="p${index}" href="${encodeURI(name(index))}" media-type="application/xhtml+xml"/>`,
  )
  const spine = pages.map((_, index) => `<itemref idref="p${index}"/>`)
  const files = Object.fromEntries(
    pages.map((page, index) => [
      `OEBPS/${name(index)}`,
      strToU8(
        `<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body>${page}</body></html>`,
      ),
    ]),
  )
  return zipSync({
    mimetype: strToU8("application/epub+zip"),
    "META-INF/container.xml": strToU8(
      `<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>`,
    ),
    ...(encrypted
      ? {
          "META-INF/encryption.xml": strToU8(
            `<encryption><CipherReference URI="OEBPS/${encodeURI(name(0))}"/></encryption>`,
          ),
        }
      : {}),
    "OEBPS/book.opf": strToU8(
      `<package><metadata><dc:title>${title}</dc:title></metadata><manifest><item id="n" href="nav.xhtml" properties="nav"/>${items.join("")}</manifest><spine><itemref idref="n"/>${spine.join("")}</spine></package>`,
    ),
    "OEBPS/nav.xhtml": strToU8("<html><body><p>Contents</p></body></html>"),
    ...files,
  })
}

/** How an encrypted file of Office starts. */
export const encryptedOffice = (): Uint8Array =>
  Buffer.concat([
    Uint8Array.of(0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1),
    new Uint8Array(504),
    Buffer.from("EncryptedPackage", "utf16le"),
  ])
