import assert from "node:assert/strict"
import { test } from "node:test"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect } from "effect"
import { SettingsError } from "../../src/Errors.ts"
import { measureVariants } from "../../src/node/Variants.ts"
import type { RunEvent } from "../../src/RunEvent.ts"

test("other forms of the result are measured, and one that cannot be is a warning", async () => {
  const measured = { metrics: { "mrr@10": 0.5 }, perQuestion: {}, shown: null }
  const events: RunEvent[] = []
  const found = await measureVariants(
    {
      metric: "mrr@10",
      measure: () => Effect.succeed(measured),
      baselines: {},
      variants: {
        q8: () => Effect.succeed(measured),
        q4: () => Effect.fail(new SettingsError({ message: "no such kernel" })),
      },
    },
    { step: 1, weights: {} },
    (event) => Effect.sync(() => events.push(event)),
  ).pipe(Effect.scoped, Effect.provide(layer({ threads: 1 })), Effect.runPromise)
  assert.deepEqual(found, { q8: { "mrr@10": 0.5 } })
  assert.deepEqual(events.at(-1), { event: "warning", message: "q4 could not be measured: no such kernel" })
})
