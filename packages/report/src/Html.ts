/** Text as HTML shows it, in content and in quoted attributes. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)

/** Text as HTML in which what stands between backquotes is code. */
export const prose = (text: string): string => escapeHtml(text).replace(/`([^`]+)`/g, "<code>$1</code>")

/** JavaScript of ours or of a library inside a `<script>`: what looks like the end of one is kept from being it. */
export const embedScript = (script: string): string => script.replace(/<(\/script|!--)/gi, "\\x3c$1")

/** A style sheet inside a `<style>`. */
export const embedStyle = (style: string): string => style.replace(/<\/style/gi, "<\\/style")

/** A figure, in four digits or so. */
export const figure = (value: number): string => value.toFixed(Math.abs(value) < 10 ? 3 : Math.abs(value) < 100 ? 2 : 1)

/** A difference of figures with its sign. */
export const signed = (value: number): string => `${value < 0 ? "−" : "+"}${figure(Math.abs(value))}`

/** Seconds in the two units that matter. */
export const duration = (seconds: number): string => {
  if (seconds < 60) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60) % 60} s`
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** A count with thin spaces between thousands. */
export const quantity = (count: number): string =>
  Number.isInteger(count) ? String(count).replace(/\B(?=(\d{3})+$)/g, "\u202f") : String(count)
