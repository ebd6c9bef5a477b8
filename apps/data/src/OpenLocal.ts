import { InvalidDatagenSettings, type ModelRole } from "@tandem/datagen"
import { chatTemplateOf, makeLocalGenerator } from "@tandem/generator"
import { generatorFingerprint, openGeneratorFolder } from "@tandem/objectives/node/LoadGenerator"
import { layer } from "@tandem/runtime/node/NodeRuntime"
import { Effect, Layer } from "effect"

/**
 * A model of this project as long as the scope lives: a folder, a hub id, or a run that trained one. Its weights are part of
 * its name in records, so that replies of other ones are not taken for its own.
 */
export const openLocal = Effect.fnUntraced(function* (name: string, role: ModelRole) {
  const { model } = yield* openGeneratorFolder(name)
  if (chatTemplateOf(model.tokenizer) === undefined) {
    return yield* new InvalidDatagenSettings({
      message: "a model without a chat template cannot be asked for data",
      field: `api.${role}_model`,
      expected: `a model that was trained on conversations, or an address in \`api.${role}_base_url\``,
      found: name,
    })
  }
  const runtime = yield* Layer.build(layer({ device: "cpu" }))
  const records = `${name}@${generatorFingerprint(model).slice(0, 12)}`
  return yield* Effect.provide(makeLocalGenerator({ model, name: records }), runtime)
})
