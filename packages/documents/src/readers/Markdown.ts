import { Lexer, type Token, type Tokens } from "marked"
import type { Paragraph } from "../Document.ts"
import { htmlText } from "./Html.ts"
import { decodeText } from "./PlainText.ts"
import type { Extracted, Reader } from "./Reader.ts"

/** Markdown with GitHub's tables, as it is read: without marks, the addresses of links, comments and front matter. */
export const readMarkdown: Reader = (bytes) => markdownText(decodeText(bytes).replaceAll("\r\n", "\n"))

/** The text of a Markdown document; its title is that of its front matter, or its first heading of level 1. */
export const markdownText = (markdown: string): Extracted => {
  const { body, title } = withoutFrontMatter(markdown)
  const paragraphs = tokensOf(body).flatMap(paragraphsOfToken)
  const named = title ?? paragraphs.find(({ level }) => level === 1)?.text
  return { paragraphs, ...(named === undefined ? {} : { title: named }) }
}

/**
 * Tokens of a text. Marks inside a paragraph are looked for in those of an everyday length: the library takes the square of
 * a paragraph's length for some that are written against it.
 */
const tokensOf = (markdown: string): readonly Token[] => {
  const lexer = new Lexer({ gfm: true })
  const tokens = lexer.blockTokens(markdown, lexer.tokens)
  for (const { src, tokens: inside } of lexer.inlineQueue) {
    if (src.length <= longestParsed) lexer.inlineTokens(src, inside)
    else inside.push({ type: "text", raw: src, text: src })
  }
  return tokens
}

const longestParsed = 16_384

const withoutFrontMatter = (markdown: string): { readonly body: string; readonly title?: string } => {
  const text = markdown.startsWith("\ufeff") ? markdown.slice(1) : markdown
  const end = text.startsWith("---\n") ? text.indexOf("\n---", 3) : -1
  if (end < 0 || !/^[\w-]+:/m.test(text.slice(4, end))) return { body: text }
  const title = /^title:[ \t]*(.+)$/m
    .exec(text.slice(4, end))?.[1]
    ?.trim()
    .replace(/^(["'])(.*)\1$/, "$2")
  return { body: text.slice(text.indexOf("\n", end + 1) + 1 || text.length), ...(title === undefined ? {} : { title }) }
}

const paragraphsOfToken = (token: Token): readonly Paragraph[] => {
  if (isHeading(token)) return [{ text: inline(token.tokens), level: token.depth }]
  if (isCode(token)) return [{ text: token.text }]
  if (isList(token)) return [{ text: listText(token) }]
  if (isTable(token)) return [{ text: tableText(token) }]
  if (isHtml(token)) return [...htmlText(token.raw).paragraphs]
  if (token.type === "blockquote" && "tokens" in token) return (token.tokens ?? []).flatMap(paragraphsOfToken)
  if ("tokens" in token && token.tokens !== undefined) return [{ text: inline(token.tokens) }]
  return token.type === "text" || token.type === "paragraph" ? [{ text: plain(token.raw) }] : []
}

/** Items a line each; what stands below an item is indented. */
const listText = ({ items, ordered, start }: Tokens.List): string =>
  items
    .map(({ tokens }, index) => {
      const text = tokens
        .flatMap(paragraphsOfToken)
        .map((paragraph) => paragraph.text)
        .join("\n")
      return `${ordered ? `${(start || 1) + index}.` : "-"} ${text.replaceAll("\n", "\n  ")}`
    })
    .join("\n")

const tableText = ({ header, rows }: Tokens.Table): string =>
  [header, ...rows].map((row) => row.map(({ tokens }) => inline(tokens)).join(" | ")).join("\n")

const inline = (tokens: readonly Token[]): string => tokens.map(inlineText).join("")

const inlineText = (token: Token): string => {
  if (token.type === "br") return "\n"
  if (token.type === "codespan" && "text" in token) return token.text
  if (token.type === "image" && "text" in token) return token.text
  if (token.type === "html") return ""
  if ("tokens" in token && token.tokens !== undefined) return inline(token.tokens)
  // Lines that only the editor broke go on.
  return plain("text" in token ? token.text : token.raw).replaceAll("\n", " ")
}

/** With character references (`&amp;`) as the characters that they stand for. */
const plain = (text: string): string =>
  text.includes("&") ? text.replaceAll(/&(?:#\d{1,7}|#x[\da-f]{1,6}|[a-z][a-z\d]{1,31});/gi, characterOf) : text

const characterOf = (reference: string): string => {
  const [paragraph] = htmlText(`<pre>${reference}</pre>`).paragraphs
  return paragraph?.text ?? reference
}

const isHeading = (token: Token): token is Tokens.Heading => token.type === "heading"
const isCode = (token: Token): token is Tokens.Code => token.type === "code"
const isList = (token: Token): token is Tokens.List => token.type === "list"
const isTable = (token: Token): token is Tokens.Table => token.type === "table"
const isHtml = (token: Token): token is Tokens.HTML => token.type === "html"
