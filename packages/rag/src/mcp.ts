import type { Client } from "@modelcontextprotocol/sdk/client/index.js"
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js"
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js"
import { Effect, Schema } from "effect"
import { z } from "zod"
import { KnowledgeSourceError } from "./Errors.ts"
import type { FoundPassage, KnowledgeSource } from "./KnowledgeSource.ts"
import type { RagClient } from "./RagClient.ts"

const passage = z.object({
  id: z.string(),
  title: z.string().optional(),
  text: z.string(),
  score: z.number(),
  weight: z.number(),
})

/** Who a server says that it is. */
export interface ToolServerOptions {
  readonly name?: string
  readonly version?: string
}

/**
 * A system as a server of the Model Context Protocol: the tool `retrieve` finds passages, and where there is a language model
 * `ask` answers with its sources. Connect it to a transport of the official SDK.
 */
export const toolServer = (
  rag: RagClient,
  { name = "tandem", version = "0.1.0" }: ToolServerOptions = {},
): McpServer => {
  const { knowledge, k, generator } = rag.facts
  const server = new McpServer({ name, version })
  const count = z.int().min(1).max(1000).optional().describe(`how many passages (default ${k})`)
  server.registerTool(
    "retrieve",
    {
      title: "find passages",
      description: `finds the passages of ${knowledge.name} that fit a question best`,
      inputSchema: { question: z.string().min(1).describe("the question, in full"), k: count },
      outputSchema: { passages: z.array(passage) },
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ question, k: asked }, { signal }) =>
      result(async () => ({
        passages: [...(await rag.retrieve(question, { signal, ...(asked === undefined ? {} : { k: asked }) }))],
      })),
  )
  if (generator === undefined) return server
  server.registerTool(
    "ask",
    {
      title: "answer a question",
      description: `answers a question from passages of ${knowledge.name}, with their weights and how sure it is`,
      inputSchema: { question: z.string().min(1).describe("the question, in full"), k: count },
      outputSchema: {
        answer: z.string(),
        confidence: z.object({ logprob: z.number(), perToken: z.number() }),
        sources: z.array(passage),
      },
      annotations: { readOnlyHint: true, openWorldHint: false },
    },
    ({ question, k: asked }, { signal }) =>
      result(async () => {
        const found = await rag.ask(question, { signal, ...(asked === undefined ? {} : { k: asked }) })
        const { answer, confidence, sources } = found
        return { answer, confidence, sources: sources.map(({ prior: _, ...source }) => source) }
      }),
  )
  return server
}

/** What a tool gives back, as data and as text; a failure says what was wrong with the request. */
const result = async (body: () => Promise<Record<string, unknown>>): Promise<CallToolResult> => {
  try {
    const structuredContent = await body()
    return { content: [{ type: "text", text: JSON.stringify(structuredContent) }], structuredContent }
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause)
    return { content: [{ type: "text", text }], isError: true }
  }
}

/** How a server of the Model Context Protocol is searched. */
export interface ToolSourceOptions {
  /** The tool that finds passages; `retrieve` where absent. */
  readonly tool?: string
  /** What the tool is given; `{ question, k }` where absent. */
  readonly argumentsOf?: (question: string, k: number) => Record<string, unknown>
  /** The passages in what it gives back; where absent, those of `structuredContent.passages`, else each text as one. */
  readonly passagesOf?: (result: unknown) => readonly FoundPassage[]
}

/**
 * A server of the Model Context Protocol as a knowledge source: its passages are read without encoding anything. The client of
 * the official SDK is connected already.
 */
export const toolSource = (
  client: Client,
  {
    tool = "retrieve",
    argumentsOf = (question, k) => ({ question, k }),
    passagesOf = usualPassages,
  }: ToolSourceOptions = {},
): KnowledgeSource => {
  const failed = (found: string) =>
    new KnowledgeSourceError({ message: `the tool ${tool} found no passages: ${found}`, field: tool, found })
  return {
    name: tool,
    search: (questions, k) =>
      Effect.forEach(
        questions,
        (question) =>
          Effect.tryPromise({
            try: async (signal) => {
              const found = await client.callTool({ name: tool, arguments: argumentsOf(question, k) }, undefined, {
                signal,
              })
              if (found.isError === true) throw new Error(textsOf(found).join(" "))
              return passagesOf(found).slice(0, k)
            },
            catch: (cause) => failed(cause instanceof Error ? cause.message : String(cause)),
          }),
        { concurrency: 4 },
      ),
  }
}

const Structured = Schema.Struct({
  structuredContent: Schema.Struct({
    passages: Schema.Array(
      Schema.Struct({
        id: Schema.String,
        title: Schema.optionalKey(Schema.String),
        text: Schema.String,
        score: Schema.optionalKey(Schema.Finite),
      }),
    ),
  }),
})

const Texts = Schema.Struct({ content: Schema.Array(Schema.Struct({ text: Schema.optionalKey(Schema.String) })) })

const usualPassages = (found: unknown): readonly FoundPassage[] => {
  if (Schema.is(Structured)(found))
    return found.structuredContent.passages.map(({ score = 0, ...passage }) => ({ passage, score }))
  return textsOf(found).map((text, index) => ({ passage: { id: `${index + 1}`, text }, score: 0 }))
}

const textsOf = (found: unknown): readonly string[] =>
  Schema.is(Texts)(found) ? found.content.flatMap(({ text }) => (text === undefined ? [] : [text])) : []
