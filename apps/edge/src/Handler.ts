import type { Schema } from "effect"
import { Hono } from "hono"
import { cors } from "hono/cors"
import type { HandlerOptions } from "./HandlerOptions.ts"
import { makeAdmission } from "./internal/Admission.ts"
import { checkBearerKey } from "./internal/BearerKey.ts"
import { bodyDecoder } from "./internal/Decode.ts"
import type { Call, Desk } from "./internal/Desk.ts"
import { refusalOf } from "./internal/Faults.ts"
import { makeLifetimes } from "./internal/Lifetime.ts"
import { readJson } from "./internal/ReadJson.ts"
import { AskBody, ChatBody, EmbeddingsBody, RetrieveBody } from "./internal/RequestBodies.ts"
import { ask } from "./internal/routes/Ask.ts"
import { chat } from "./internal/routes/Chat.ts"
import { embeddings } from "./internal/routes/Embeddings.ts"
import { listModels, oneModel } from "./internal/routes/Models.ts"
import { retrieve } from "./internal/routes/Retrieve.ts"
import { makeTelemetry } from "./internal/Telemetry.ts"
import { beginVisit, type Visit, whenSent } from "./internal/Visit.ts"
import { defaultLimits, type Limits } from "./Limits.ts"
import { addPage } from "./page/Page.ts"
import { Refusal, refusalResponse } from "./Refusal.ts"
import type { Served } from "./Served.ts"

/** Answers requests, wherever they come from. */
export interface Handler {
  /** Never rejects: whatever goes wrong is an answer. */
  readonly fetch: (request: Request) => Promise<Response>
  /**
   * Refuses what comes from now on and waits for what runs; what has not ended after `seconds` (30 where absent) is ended.
   * Resolves when nothing runs any more. What is served stays open.
   */
  readonly close: (seconds?: number) => Promise<void>
}

interface Env {
  readonly Bindings: { readonly visit: Visit }
}

/** A handler over a system that is open; it needs nothing but what Web standards have. */
export const makeHandler = (served: Served, options: HandlerOptions = {}): Handler => {
  const { name = "tandem", apiKey, origins = [], hosts, page = true, observe = () => {} } = options
  const limits: Limits = { ...defaultLimits, ...options.limits }
  const telemetry = makeTelemetry()
  const admission = makeAdmission(limits, seconds)
  const lifetimes = makeLifetimes(limits.seconds)
  const desk: Desk = { served, name, limits, telemetry }

  const app = new Hono<Env>()
  if (hosts !== undefined)
    app.use(async ({ req }, next) => {
      const asked = new URL(req.url).hostname.replace(/^\[|\]$/g, "")
      if (!hosts.includes(asked))
        throw new Refusal(403, "this server is not asked under this name", { code: "unknown_host" })
      return next()
    })
  if (origins.length > 0) {
    const allowHeaders = ["authorization", "content-type", "x-request-id"]
    const exposeHeaders = ["x-request-id", "retry-after"]
    app.use(cors({ origin: [...origins], allowMethods: ["GET", "POST"], allowHeaders, exposeHeaders, maxAge: 600 }))
  }

  /** A request that reads a body and makes the models work. */
  const post = <A>(
    route: string,
    schema: Schema.Codec<A, unknown>,
    answer: (desk: Desk, call: Call<A>) => Promise<Response>,
  ): void => {
    const decode = bodyDecoder(schema)
    app.post(route, async ({ req: { raw: request }, env: { visit } }) => {
      visit.route = route
      if (apiKey !== undefined) await checkBearerKey(request.headers, apiKey)
      const place = admission.enter()
      const { signal, end } = lifetimes.begin(request.signal)
      visit.over = signal
      visit.leave = () => {
        end()
        place.leave()
      }
      const body = decode(await readJson(request, limits, signal))
      await place.run(signal)
      return answer(desk, { body, signal, elapsed: visit.elapsed, failed: visit.failed })
    })
    app.all(route, () => {
      throw new Refusal(405, "this address is posted to", { code: "method_not_allowed", allow: "POST" })
    })
  }

  /** A request that is answered at once. */
  const get = (route: string, open: boolean, answer: (id: string) => Response): void => {
    app.get(route, async ({ req, env: { visit } }) => {
      visit.route = route
      if (!open && apiKey !== undefined) await checkBearerKey(req.raw.headers, apiKey)
      return answer(req.param("id") ?? "")
    })
    app.all(route, () => {
      throw new Refusal(405, "this address is read", { code: "method_not_allowed", allow: "GET" })
    })
  }

  post("/ask", AskBody, ask)
  post("/retrieve", RetrieveBody, retrieve)
  post("/v1/embeddings", EmbeddingsBody, embeddings)
  post("/v1/chat/completions", ChatBody, chat)
  get("/v1/models", false, () => listModels(desk))
  get("/v1/models/:id", false, (id) => oneModel(desk, id))
  get("/healthz", true, () => Response.json({ status: "ok" }))
  get("/metrics", false, () => {
    const headers = { "content-type": "text/plain; version=0.0.4; charset=utf-8" }
    return new Response(telemetry.render(admission.occupancy()), { headers })
  })
  if (page) addPage(get)
  app.notFound(() => {
    throw new Refusal(404, "there is nothing at this address", { code: "not_found" })
  })
  app.onError((cause, { env: { visit } }) => {
    visit.failed(cause)
    return refusalResponse(refusalOf(cause))
  })

  const answered = async (request: Request, visit: Visit): Promise<Response> => {
    try {
      return await app.fetch(request, { visit })
    } catch (cause) {
      // What is no error passes the router by.
      visit.failed(cause)
      return refusalResponse(refusalOf(cause))
    }
  }

  const fetch = async (request: Request): Promise<Response> => {
    const visit = beginVisit(request.headers, seconds)
    const response = await answered(request, visit)
    response.headers.set("x-request-id", visit.id)
    response.headers.set("x-content-type-options", "nosniff")
    if (!response.headers.has("cache-control")) response.headers.set("cache-control", "no-store")
    const { status } = response
    return whenSent(response, visit.over, () => {
      visit.leave()
      const line = { route: visit.route, status, seconds: visit.elapsed() }
      telemetry.went(line)
      observe({ id: visit.id, method: request.method, ...line, ...visit.fault() })
    })
  }

  const close = async (grace = 30): Promise<void> => {
    const drained = admission.drain()
    const clock = setTimeout(lifetimes.stop, grace * 1000)
    await drained
    clearTimeout(clock)
  }

  return { fetch, close }
}

const seconds = (): number => performance.now() / 1000
