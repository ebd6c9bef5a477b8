/**
 * The first key that stands twice in the outermost object of a valid JSON text, which `JSON.parse` would hide by
 * keeping the last of them.
 */
export const repeatedKey = (text: string): string | undefined => {
  const seen = new Set<string>()
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === "{" || character === "[") depth++
    else if (character === "}" || character === "]") depth--
    else if (character === '"') {
      const start = at
      for (at++; text[at] !== '"'; at++) if (text[at] === "\\") at++
      if (depth !== 1 || !/^\s*:/.test(text.slice(at + 1, at + 16))) continue
      const key: unknown = JSON.parse(text.slice(start, at + 1))
      if (typeof key !== "string") continue
      if (seen.has(key)) return key
      seen.add(key)
    }
  }
  return undefined
}
