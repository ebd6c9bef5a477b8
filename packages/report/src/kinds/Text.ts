import { prose } from "../Html.ts"
import type { Kind } from "../Kind.ts"

/** Paragraphs; what stands between backquotes is set as code. */
export interface Text {
  readonly paragraphs: readonly string[]
}

export const text: Kind<Text> = {
  render: ({ paragraphs }) => paragraphs.map((paragraph) => `<p class="prose">${prose(paragraph)}</p>`).join("\n"),
  style: `.prose { max-width: 46rem; margin: .75rem 0; overflow-wrap: anywhere; }`,
}
