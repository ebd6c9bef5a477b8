import { createServer, type ServerResponse } from "node:http"
import { fnv1aOfCodePoints } from "@tandem/random"

interface Message {
  readonly role: string
  readonly content: string
}

/** What goes wrong with a call. */
export type Fault = "429" | "500" | "no json" | "reset" | "empty" | "truncated"

/** Faults that tests ask for by name: down, refusing the key, and an answer of no choices that is charged for. */
export type AskedFault = Fault | "503" | "401" | "no choices"

const faults: readonly Fault[] = ["429", "500", "no json", "reset", "empty", "truncated"]

export interface ChatServerOptions {
  /** Share of calls that go wrong, all kinds alike; 0 where absent. Which ones is decided by what is asked. */
  readonly faultShare?: number
  /** The fault of a call, given the number of calls before; in place of the share. */
  readonly fault?: (call: number) => AskedFault | undefined
  /** The reply to a call; a fitting one where absent. */
  readonly reply?: (messages: readonly Message[]) => string | undefined
  /** Milliseconds before each reply; 0 where absent. */
  readonly latency?: number
  /** Told after each reply that was delivered as a whole. */
  readonly delivered?: (count: number) => void
  /** Whether replies are held to a form; an endpoint that cannot refuses requests that ask for it. True where absent. */
  readonly forms?: boolean
  /** Whether tokens are counted; `none` says that there were none. True where absent. */
  readonly usage?: boolean | "none"
}

export interface ChatServer {
  readonly baseUrl: string
  /** Calls that came in. */
  readonly calls: () => number
  /** Replies that were delivered, and paid for, and how many of these were different. */
  readonly delivered: () => number
  readonly distinct: () => number
  /** Calls that were under way at once, at most. */
  readonly most: () => number
  readonly close: () => Promise<void>
}

/**
 * An OpenAI-compatible endpoint on this machine whose replies are functions of what is asked, so that the same is said
 * whenever it is asked; a correction gets what the question itself would have got.
 */
export const chatServer = async (options: ChatServerOptions = {}): Promise<ChatServer> => {
  const { faultShare = 0, latency = 0, usage = true } = options
  const asked = new Map<string, number>()
  const paid = new Set<string>()
  let [calls, delivered, open, most] = [0, 0, 0, 0]

  const faultOf = (body: string): ReturnType<NonNullable<ChatServerOptions["fault"]>> => {
    if (options.fault !== undefined) return options.fault(calls)
    const times = asked.get(body) ?? 0
    asked.set(body, times + 1)
    const drawn = fnv1aOfCodePoints(`${times}:${body}`) >>> 0
    return drawn % 1000 < faultShare * 1000 ? faults[(drawn >>> 10) % faults.length] : undefined
  }

  const answer = (response: ServerResponse, body: string): unknown => {
    const fault = faultOf(body)
    calls += 1
    const { messages }: { readonly messages: readonly Message[] } = JSON.parse(body)
    if (options.forms === false && body.includes('"response_format"')) {
      response.writeHead(400, { "content-type": "application/json" })
      return response.end('{"error": {"message": "response_format is not supported"}}')
    }
    if (fault === "reset") return response.destroy()
    if (fault === "429" || fault === "500" || fault === "503" || fault === "401") {
      response.writeHead(Number(fault), { "content-type": "application/json", "retry-after": "0.01" })
      return response.end('{"error": {"message": "not now"}}')
    }
    if (fault === "no choices") {
      response.setHeader("content-type", "application/json")
      return response.end('{"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 20}}')
    }
    if (fault === "no json") return response.end('{"choices": [{"mess')
    const whole = options.reply?.(messages) ?? replyTo(messages)
    const content = fault === "empty" ? "" : fault === "truncated" ? whole.slice(0, whole.length / 2) : whole
    response.on("finish", () => {
      delivered += 1
      paid.add(body)
      options.delivered?.(delivered)
    })
    response.setHeader("content-type", "application/json")
    return response.end(
      JSON.stringify({
        choices: [
          {
            index: 0,
            message: { role: "assistant", content },
            finish_reason: fault === "truncated" ? "length" : "stop",
          },
        ],
        ...(usage === true ? { usage: { prompt_tokens: 100, completion_tokens: 20 } } : {}),
        ...(usage === "none" ? { usage: { prompt_tokens: 0, completion_tokens: 0 } } : {}),
      }),
    )
  }

  const server = createServer((request, response) => {
    open += 1
    most = Math.max(most, open)
    response.on("close", () => {
      open -= 1
    })
    const chunks: Buffer[] = []
    request.on("data", (chunk) => chunks.push(chunk))
    request.on("end", () => {
      const body = Buffer.concat(chunks).toString()
      if (latency === 0) answer(response, body)
      else setTimeout(() => answer(response, body), latency)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  const port = typeof address === "object" ? address?.port : address
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    calls: () => calls,
    delivered: () => delivered,
    distinct: () => paid.size,
    most: () => most,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

/** What a good model would say to the prompts in English. */
const replyTo = (messages: readonly Message[]): string => {
  const [system, user] = [messages[0]?.content ?? "", messages[1]?.content ?? ""]
  if (system.startsWith("You decide")) {
    return JSON.stringify({ reason: "it says something", suitable: !user.includes("Table of contents") })
  }
  const hidden = /^Hidden passage:\n\n(.*)\n/.exec(user)?.[1]
  if (hidden !== undefined) {
    return conversation(
      `What is it about number ${fnv1aOfCodePoints(hidden) >>> 16}?`,
      "From what I know, it is quite old.",
    )
  }
  const needed = /Passage \[(.*)\] \(needed\):\n\n(.*)\n/.exec(user)
  const [, source = "", text = ""] = needed ?? []
  const words = text.split(" ").slice(0, 4).join(" ")
  return conversation(`What does ${words} do?`, `It is told that "${words}" and so on [${source}].`)
}

const conversation = (question: string, answer: string): string => JSON.stringify({ turns: [{ question, answer }] })
