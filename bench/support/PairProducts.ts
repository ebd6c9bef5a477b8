import { DprSettings } from "@tandem/dpr"
import { dprBatches } from "@tandem/dpr/DprBatches"
import { loadData } from "@tandem/dpr/DprData"
import { dprProgram } from "@tandem/dpr/DprProgram"
import { loadTowers, retrievalSettings } from "@tandem/dpr/Towers"
import { jointParameters } from "@tandem/retriever"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, Schema } from "effect"
import { meanProducts, type Product, productsOf } from "./Products.ts"

/** The products of the mean of a run's steps from the second to step number `steps`. */
export const pairProducts = (run: unknown, steps: number): Promise<readonly Product[]> => {
  const find = Effect.gen(function* () {
    const settings = Schema.decodeUnknownSync(DprSettings)(run)
    const data = yield* loadData(settings)
    const towers = yield* loadTowers(settings, data)
    const retrieval = yield* retrievalSettings(settings, towers)
    const batches = dprBatches(towers, data, settings, retrieval)
    const options = { ...retrieval, symmetric: settings.symmetric, dropout: settings.dropout }
    const trained = [...jointParameters(towers).keys()]
    const lists: (readonly Product[])[] = []
    for (let index = 1; index < steps; index++) {
      const { graph } = yield* dprProgram(towers, batches.at(index).shape, options)
      lists.push(productsOf(graph, trained))
    }
    return meanProducts(lists)
  })
  return Effect.runPromise(Effect.scoped(find).pipe(Effect.provide(layer())))
}
