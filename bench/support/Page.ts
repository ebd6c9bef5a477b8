// bench/out/index.html: one file with every record, its ratios with their spread, and how costs grow.
import {
  type Chart,
  type Contents,
  kinds,
  type Report,
  type ReportAssets,
  reportRenderer,
  type SectionOf,
} from "@tandem/report"
import { type Comparisons, comparisonsKind, ratioScale } from "./Comparisons.ts"
import { type BenchmarkRecord, comparisons, duration, type Scaled, scalings } from "./Records.ts"

type BenchContents = Contents & { readonly comparisons: Comparisons }
type BenchSection = SectionOf<BenchContents>

/** The whole page; it needs nothing from anywhere. */
export const renderPage = (records: readonly BenchmarkRecord[], assets: ReportAssets): string =>
  reportRenderer<BenchContents>({ ...kinds, comparisons: comparisonsKind })(page(records), assets)

const page = (records: readonly BenchmarkRecord[]): Report<BenchSection> => {
  const compared = records.filter((record) => comparisons(record).length > 0)
  const grown = records.flatMap(scalings)
  const scale = ratioScale(compared.flatMap((record) => comparisons(record).map(([, each]) => each)))
  return {
    command: "npm run bench",
    title: "As fast as its peers?",
    summary: summary(records),
    lead: [
      `Both sides work in turn on the same machine. A ratio is the peer's time over ours in the same round: right of the line
at 1 ours is faster. Dots are rounds, the bar goes from the least to the largest, the large mark is the median, the
upright line the goal. Memory is our peak over the peer's. Products: the share of our step that its matrix products
need alone, each in its fastest form. The bars below a row show where our time goes, as ONNX Runtime's profiler tells it in
a process of its own after the rounds. What holds back a goal that is not reached, and what was tried, stands in
\`docs/performance.md\`.`,
    ],
    notices: [],
    sections: [
      ...compared.map((record): BenchSection => {
        const { settings } = record
        const against = settings.against === undefined ? "" : `against ${settings.against}; `
        const intro = `${against}times of ${unitWords(settings.unit ?? "run")}`
        return { kind: "comparisons", title: capital(settings.work), intro, record, scale }
      }),
      ...growth(grown),
    ],
  }
}

const summary = (records: readonly BenchmarkRecord[]): Report<never>["summary"] => {
  const each = (values: readonly string[]): string => [...new Set(values)].join("; ")
  const verdicts = records.flatMap(({ holds = {} }) => Object.values(holds))
  return [
    ["goals reached", `${verdicts.filter((held) => held).length} of ${verdicts.length}`],
    ["machine", each(records.map(({ machine }) => `${machine.cpu}, ${machine.cores} cores, ${machine.platform}`))],
    ["measured", each(records.map(({ date }) => date).sort())],
    ["minutes", (records.reduce((sum, { seconds }) => sum + seconds, 0) / 60).toFixed(0)],
  ]
}

/** A unit may be a count of things. */
const unitWords = (unit: string): string => (/^\d/.test(unit) ? unit : `one ${unit}`)

/** How costs grow, as a table and as charts. */
const growth = (grown: readonly (readonly [string, Scaled])[]): readonly BenchSection[] =>
  grown.length === 0
    ? []
    : [
        {
          kind: "table",
          title: "How costs grow",
          intro:
            "Medians of times, and the power law nearest to them: an exponent of 1 is twice the time for twice the size.",
          head: ["cost", "against", "exponent", "sizes", "times"],
          rows: grown.map(([name, { axis, exponent, points }]) => {
            const [first, last] = [points[0], points.at(-1)]
            const times = [first, last].map((point) => duration(point?.seconds.median ?? 0))
            return [name, axis, exponent.toFixed(2), `${first?.size}–${last?.size}`, times.join("–")]
          }),
        },
        {
          kind: "curves",
          title: "Costs by size",
          intro: "Medians with their spread on logarithmic axes, and the power law.",
          charts: grown.map(growthChart),
        },
      ]

const growthChart = ([name, { axis, points, exponent, factor }]: readonly [string, Scaled]): Chart => {
  const sizes = points.map(({ size }) => size)
  return {
    title: `${name}: power ${exponent.toFixed(2)}`,
    x: sizes,
    along: axis,
    growing: true,
    scale: "log",
    unit: "seconds",
    lines: [
      {
        label: "median",
        values: points.map(({ seconds }) => seconds.median),
        spread: points.map(({ seconds }) => [seconds.min, seconds.max]),
        color: "teal",
        style: "dots",
      },
      { label: "power law", values: sizes.map((size) => factor * size ** exponent), color: "amber", style: "dashed" },
    ],
  }
}

const capital = (text: string): string => text.slice(0, 1).toUpperCase() + text.slice(1)
