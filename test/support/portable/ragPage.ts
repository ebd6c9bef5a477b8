// A run that is opened and asked inside a page: it is bundled, and a test calls it through `globalThis.tandem`.
import { filesInMemory } from "@tandem/files"
import { type OpenRagOptions, openRag } from "@tandem/rag/web/OpenRag"
import { Schema } from "effect"

const Files = Schema.fromJsonString(Schema.Record(Schema.String, Schema.String))

/** The bytes of files that came as base64. */
const decoded = (json: string): Readonly<Record<string, Uint8Array>> =>
  Object.fromEntries(
    Object.entries(Schema.decodeUnknownSync(Files)(json)).map(([path, text]) => [
      path,
      Uint8Array.from(atob(text), (character) => character.charCodeAt(0)),
    ]),
  )

const tandem = {
  /** What a system in this page makes of a question. */
  answer: async (device: NonNullable<OpenRagOptions["device"]>, files: string, question: string) => {
    const rag = await openRag(filesInMemory(decoded(files), "run"), { device, wasmPaths: `${location.origin}/` })
    const [embedding] = await rag.embed([question], { as: "query" })
    const events: string[] = []
    for await (const event of rag.askStream(question)) events.push(event.type)
    const { answer, sources, confidence } = await rag.ask(question)
    await rag.close()
    return {
      provider: rag.facts.device.provider,
      embedding: [...(embedding ?? [])],
      events,
      answer,
      sources: sources.map(({ id }) => id),
      logprob: confidence.logprob,
    }
  },
}

Object.assign(globalThis, { tandem })
