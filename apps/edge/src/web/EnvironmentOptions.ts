import type { HandlerOptions, RequestLine } from "../HandlerOptions.ts"
import { checkedKey } from "../internal/Key.ts"

const logLine = (line: RequestLine): void => console.log(JSON.stringify({ event: "request", ...line }))

/**
 * Options out of the variables that platforms set: `TANDEM_API_KEY`, `TANDEM_NAME`, and `TANDEM_ORIGINS`, which commas part.
 * What is absent is as usual, and so is an empty name or origin. A key that is set and protects nothing throws `InvalidKeyError`:
 * a secret that came out empty must not open the server to everyone. Each request is a line of JSON on the console, which
 * platforms keep as a program's log.
 */
export const optionsFrom = (variable: (name: string) => unknown): HandlerOptions => {
  const text = (name: string): string | undefined => {
    const value = variable(name)
    return typeof value === "string" && value !== "" ? value : undefined
  }
  const keyName = "TANDEM_API_KEY"
  const key = variable(keyName)
  const [name, origins] = ["TANDEM_NAME", "TANDEM_ORIGINS"].map(text)
  return {
    observe: logLine,
    ...(key === undefined ? {} : { apiKey: checkedKey(keyName, key) }),
    ...(name === undefined ? {} : { name }),
    ...(origins === undefined ? {} : { origins: origins.split(",").map((origin) => origin.trim()) }),
  }
}
