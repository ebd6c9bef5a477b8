import { Refusal } from "../Refusal.ts"

/** Errors that tell what is wrong with a request, in words that hold nothing of the machine. */
const ofTheRequest = ["InvalidAsk", "InvalidPrompt", "InvalidGeneration", "InvalidRequest"]

const textAt = (cause: unknown, name: string): string | undefined => {
  const value: unknown = typeof cause === "object" && cause !== null ? Reflect.get(cause, name) : undefined
  return typeof value === "string" ? value : undefined
}

/** What a client is told about a failure. Of a fault of the server it hears that there was one. */
export const refusalOf = (cause: unknown): Refusal => {
  if (cause instanceof Refusal) return cause
  const tag = textAt(cause, "_tag")
  if (tag === undefined || !ofTheRequest.includes(tag))
    return new Refusal(500, "the server failed", { code: "server_error" })
  const param = textAt(cause, "field")
  return new Refusal(400, textAt(cause, "message") ?? "the request cannot be answered", {
    code: "invalid_value",
    ...(param === undefined ? {} : { param }),
  })
}

/** What a log is told about a fault of the server: the kind of error, and nothing that it says. */
export const faultOf = (cause: unknown): string | undefined => {
  if (cause instanceof Refusal || refusalOf(cause).status !== 500) return undefined
  return textAt(cause, "_tag") ?? (cause instanceof Error ? cause.name : typeof cause)
}
