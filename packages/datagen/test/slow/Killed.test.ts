import { test } from "node:test"
import { killedPipeline, onChunks } from "../support/KilledPipeline.ts"

test("a pipeline that is killed ten times leaves what an undisturbed one does, and pays for nothing again", async () => {
  await killedPipeline(10, onChunks(20))
})
