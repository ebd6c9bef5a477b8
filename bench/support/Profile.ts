// Where a unit of work spends its time, operator by operator, as ONNX Runtime's profiler and the calls of the runtime say.
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { callsFile, type RuntimeCall } from "./SideRuntime.ts"

/** An operator's part in one unit of work. */
export interface OperatorTime {
  /** As ONNX Runtime names it, after its fusions. */
  readonly operator: string
  readonly seconds: number
  /** Nodes run. */
  readonly count: number
}

/** One unit of work under the profiler: means over its units. Operators, host, compiling and rest make the whole. */
export interface Profile {
  readonly seconds: number
  /** All operators, the slowest first. */
  readonly operators: readonly OperatorTime[]
  /** Host kernels: the optimizer, clipping, dropout masks. */
  readonly host: number
  /** Compiling graphs for shapes that were not met before. */
  readonly compiling: number
  /** All else: batches, tokenizing, differentiating, copies, the calls themselves. */
  readonly rest: number
}

/** What was worked under the profiler. */
export interface ProfiledWork {
  /** Of all units together. */
  readonly seconds: number
  readonly units: number
  /** When the first unit began, in milliseconds of the wall clock. */
  readonly since: number
}

/** An event of ONNX Runtime's profiler; times are microseconds since the session was made. */
interface ProfileEvent {
  readonly cat: string
  readonly name: string
  readonly ts: number
  readonly dur: number
  readonly args?: { readonly op_name?: string }
}

/** Reads the folder that a profiled side has filled, once it has ended. */
export const readProfile = (folder: string, { seconds, units, since }: ProfiledWork): Profile => {
  const calls: readonly RuntimeCall[] = JSON.parse(readFileSync(join(folder, callsFile), "utf8"))
  const found = new Map<string, OperatorTime>()
  for (const file of readdirSync(folder).filter((name) => name !== callsFile && name.endsWith(".json"))) {
    const executable = Number(file.slice(0, file.indexOf("_")))
    const runs = calls.filter((call) => call.kind === "run" && call.executable === executable)
    const first = runs.findIndex(({ started }) => started >= since)
    const events: readonly ProfileEvent[] = JSON.parse(readFileSync(join(folder, file), "utf8"))
    for (const { operator, seconds: own, count } of first < 0 ? [] : operatorTimes(events, first)) {
      const before = found.get(operator)
      found.set(operator, { operator, seconds: (before?.seconds ?? 0) + own, count: (before?.count ?? 0) + count })
    }
  }
  const operators = [...found.values()]
    .map((each) => ({ ...each, seconds: each.seconds / units, count: each.count / units }))
    .sort((a, b) => b.seconds - a.seconds)
  const secondsIn = (kind: RuntimeCall["kind"]): number => {
    const found = calls.filter((call) => call.kind === kind && call.started >= since)
    return sum(found.map(({ started, ended }) => (ended - started) / 1000)) / units
  }
  const [host, compiling] = [secondsIn("host"), secondsIn("compile")]
  const inOperators = sum(operators.map((each) => each.seconds))
  const rest = Math.max(0, seconds / units - inOperators - host - compiling)
  return { seconds: seconds / units, operators, host, compiling, rest }
}

/** Each operator's time and nodes in the runs of a session from number `first` on. */
export const operatorTimes = (events: readonly ProfileEvent[], first: number): readonly OperatorTime[] => {
  const starts = events.filter(({ cat, name }) => cat === "Session" && name === "model_run").map(({ ts }) => ts)
  const since = starts.sort((a, b) => a - b)[first] ?? Number.POSITIVE_INFINITY
  const times = new Map<string, OperatorTime>()
  for (const { cat, name, ts, dur, args } of events) {
    const operator = args?.op_name
    if (cat !== "Node" || operator === undefined || !name.endsWith("_kernel_time") || ts < since) continue
    const { seconds, count } = times.get(operator) ?? { seconds: 0, count: 0 }
    times.set(operator, { operator, seconds: seconds + dur / 1e6, count: count + 1 })
  }
  return [...times.values()]
}

/** A part of a unit of work, in words. */
export interface ProfilePart {
  readonly name: string
  readonly seconds: number
  /** Of the unit's time. */
  readonly share: number
}

const isProduct = ({ operator }: OperatorTime): boolean => /Mat[Mm]ul|Gemm/.test(operator)

/** The matrix products together, the slowest other operators, all other ones together, host, compiling and rest. */
export const profileParts = (profile: Profile, shown = 5): readonly ProfilePart[] => {
  const products = profile.operators.filter(isProduct)
  const others = profile.operators.filter((each) => !isProduct(each))
  const part = (name: string, seconds: number): ProfilePart => ({ name, seconds, share: seconds / profile.seconds })
  const total = (operators: readonly OperatorTime[]): number => sum(operators.map((each) => each.seconds))
  return [
    part("matrix products", total(products)),
    ...others.slice(0, shown).map(({ operator, seconds }) => part(operator, seconds)),
    part(
      others.length === shown + 1 ? "another operator" : `${others.length - shown} other operators`,
      total(others.slice(shown)),
    ),
    part("host kernels", profile.host),
    part("compiling", profile.compiling),
    part("outside of operators", profile.rest),
  ].filter(({ seconds }) => seconds > 0)
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
