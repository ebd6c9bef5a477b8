import { style } from "@tandem/report/Style"
import { pageScript } from "./PageScript.ts"
import { pageStyle } from "./PageStyle.ts"

/** The files of the page to ask in, by name: the page itself is `index.html`. They need one another and nothing else. */
export const pageFiles = {
  "index.html": {
    type: "text/html; charset=utf-8",
    content: `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Ask</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="page.css">
<script src="page.js" defer></script>
</head>
<body>
<main>
<h1>Ask</h1>
<form id="form" autocomplete="off">
<label for="query">Question</label>
<div class="line"><textarea id="query" name="query" rows="1" required maxlength="4000" autofocus aria-describedby="keys"></textarea>
<button id="send" type="submit">Ask</button></div>
<p class="note" id="keys">Enter asks, Shift and Enter begins a line, Escape stops.</p>
<details class="more"><summary>Settings</summary>
<label for="k">Passages to read <input id="k" name="k" type="number" min="1" max="20" placeholder="as trained"></label>
<label for="key">Key, where the server asks for one <input id="key" type="password" autocomplete="off"></label>
</details>
</form>
<p id="status" role="status" aria-live="polite"></p>
<noscript><p class="notice">This page needs JavaScript.</p></noscript>
<section id="result" hidden aria-labelledby="asked">
<h2 id="asked" class="question"></h2>
<p id="answer" class="said"></p>
<p id="sure" class="note"></p>
<h3 id="sources-head">Sources</h3>
<p class="note">Each passage has a colour. A word has the colour of the passage that contributes most to it; the fainter, the less that passage alone decides.</p>
<ol id="sources" class="sources" aria-labelledby="sources-head"></ol>
</section>
</main>
</body>
</html>
`,
  },
  "page.css": { type: "text/css; charset=utf-8", content: `${style}${pageStyle}` },
  "page.js": { type: "text/javascript; charset=utf-8", content: pageScript },
} satisfies Readonly<Record<string, { readonly type: string; readonly content: string }>>

/** What the page may do: run its own script, take its own style, and ask the server that it came from. */
const allowed = [
  "default-src 'none'",
  "style-src 'self'",
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
]

const policy = [...allowed, "script-src 'self'", "frame-ancestors 'none'"].join("; ")

/** The page beside a run that answers within it: it runs WebAssembly, and says itself what it may do, wherever it is served. */
export const standalonePage = (script: string): string => {
  const own = [...allowed, "script-src 'self' 'wasm-unsafe-eval'"].join("; ")
  const meta = `<meta http-equiv="content-security-policy" content="${own}">`
  return pageFiles["index.html"].content
    .replace("<title>", `${meta}\n<title>`)
    .replace('<script src="page.js"', `<script src="${script}" type="module"></script>\n<script src="page.js"`)
}

/** Serves the page at `/`, and its files beside it. */
export const addPage = (get: (route: string, open: boolean, answer: () => Response) => void): void => {
  for (const [name, { type, content }] of Object.entries(pageFiles)) {
    get(name === "index.html" ? "/" : `/${name}`, true, () => {
      const headers = {
        "content-type": type,
        "content-security-policy": policy,
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cache-control": "no-cache",
      }
      return new Response(content, { headers })
    })
  }
}
