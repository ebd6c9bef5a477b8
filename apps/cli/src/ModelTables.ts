import type { GradCheckReport, ModelReport } from "@tandem/inspection"
import { printable, quantity } from "./ProgressText.ts"
import { leftTable, table } from "./Tables.ts"

const scientific = (value: number): string => (value === 0 ? "0" : value.toExponential(1))

/** A check of gradients for people: every parameter, the worst first, and what could not be compared. */
export const gradCheckTable = (report: GradCheckReport): string => {
  const { loss, lossReference, parameters, unmatched, ambiguous, withoutGradient, constants, settings, rtol } = report
  const numeric = lossReference === null
  const rows = parameters
    .toSorted((a, b) => Number(a.ok) - Number(b.ok) || b.relativeError - a.relativeError)
    .map(({ name, partner, transposed, partners, relativeError, resolution, ok }) => [
      printable(name),
      scientific(relativeError),
      ...(numeric ? [scientific(resolution ?? 0)] : []),
      ok ? "" : "WRONG",
      ...(numeric
        ? []
        : [
            (partners ?? [{ name: partner, transposed }])
              .map((each) => `${printable(each.name)}${each.transposed ? "ᵀ" : ""}`)
              .join(" + "),
          ]),
    ])
  const head = ["parameter", "error", ...(numeric ? ["of rounding"] : []), "", ...(numeric ? [] : ["in the model"])]
  const lists: readonly (readonly [string, readonly string[]])[] = [
    ["no initializer holds these parameters", unmatched],
    ["these parameters have equal values, so they cannot be told apart", ambiguous],
    ["without a gradient in the reference, so not compared", withoutGradient],
    ["these would train and are no parameter of the reference", constants],
    ["settings of positions and masks, which do not train", settings],
  ]
  const verdict = report.ok ? "all agree" : "NOT all agree"
  return [
    table([head, ...rows]),
    ...lists.flatMap(([title, names]) =>
      names.length === 0 ? [] : [`\n${title}:`, ...names.map((name) => `  ${printable(name)}`)],
    ),
    "",
    numeric
      ? `loss ${loss}; ${quantity(parameters.length)} parameters against finite differences to ${rtol}: ${verdict}`
      : `loss ${loss}, reference ${lossReference}; ${quantity(parameters.length)} parameters to ${rtol}: ${verdict}`,
  ].join("\n")
}

const bytes = (count: number): string =>
  count >= 2 ** 30 ? `${(count / 2 ** 30).toFixed(2)} GiB` : `${(count / 2 ** 20).toFixed(count < 2 ** 20 ? 2 : 1)} MiB`

const flops = (count: number): string =>
  count >= 1e12 ? `${(count / 1e12).toFixed(2)} TFLOP` : `${(count / 1e9).toFixed(count < 1e9 ? 4 : 1)} GFLOP`

/** At most this many rows of a list are shown to people. */
const longest = 12

const some = (rows: readonly (readonly string[])[], total = rows.length): string =>
  [
    table(rows.slice(0, longest)),
    ...(total > longest ? [`… and ${quantity(total - longest)} more (--json lists all)`] : []),
  ].join("\n")

const indented = (text: string): string => text.replaceAll(/^(?=.)/gm, "  ")

/** What a model is made of and whether it can train, for people. */
export const inspectText = (report: ModelReport, file: string, others: readonly string[]): string => {
  const { gaps, weights, settings, step } = report
  const shapes = (values: ModelReport["inputs"]): readonly (readonly string[])[] =>
    values.map(({ name, type, shape }) => [printable(name), `${type} [${printable(shape.join(", "))}]`])
  const frozen = weights.filter(({ trains }) => !trains)
  const sets = Object.entries(report.opsets).map(
    ([domain, version]) => `${domain === "" ? "ai.onnx" : domain} ${version}`,
  )
  const section = (title: string, body: string): string => `\n${title}${body === "" ? "" : `\n${indented(body)}`}`
  return [
    leftTable([
      ["file", printable(file)],
      ...(others.length === 0 ? [] : [["beside it", printable(others.join(", "))]]),
      ["architecture", printable(report.architecture)],
      ["operator sets", printable(sets.join(", "))],
      ["weights", quantity(report.parameters)],
      ["that can train", quantity(report.trainable)],
    ]),
    section("inputs", leftTable(shapes(report.inputs).slice(0, longest))),
    section("outputs", leftTable(shapes(report.outputs).slice(0, longest))),
    section("operators", some(Object.entries(report.operators).map(([op, count]) => [printable(op), quantity(count)]))),
    ...(frozen.length === 0
      ? []
      : [
          section(
            "weights that cannot train",
            leftTable(frozen.slice(0, longest).map(({ name, reason = "" }) => [printable(name), printable(reason)])),
          ),
        ]),
    ...(settings.length === 0
      ? []
      : [
          section(
            "settings, which are no weights",
            leftTable(settings.slice(0, longest).map(({ name, reason }) => [printable(name), printable(reason)])),
          ),
        ]),
    ...(step === undefined
      ? []
      : [
          section(
            `a training step of ${step.batch} rows of ${step.length} tokens`,
            some([
              ["memory", bytes(step.memory.total)],
              ["  weights", bytes(step.memory.weights)],
              ["  gradients", bytes(step.memory.gradients)],
              ["  AdamW", bytes(step.memory.optimizer)],
              ["  activations", bytes(step.memory.activations)],
              ["products", flops(step.flops.step)],
              ["  forward", flops(step.flops.forward)],
            ]),
          ),
        ]),
    section(
      gaps.length === 0 ? "gaps: none" : `gaps: ${quantity(gaps.length)}`,
      leftTable(gaps.map(({ node, op, reason }) => [printable(op), printable(node), printable(reason)])),
    ),
    "",
    verdictOf(report),
  ].join("\n")
}

const verdictOf = ({ gaps, parameters, trainable }: ModelReport): string => {
  if (trainable === 0) return "This model cannot be trained."
  if (gaps.length > 0) return "Parts of this model can be trained; the gaps say what stands in the way of the others."
  return trainable === parameters
    ? "All of this model can be trained."
    : "This model can be trained but for the weights listed."
}
