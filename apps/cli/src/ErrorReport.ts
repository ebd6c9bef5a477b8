import * as Cause from "effect/Cause"
import type { CliError } from "effect/cli"
import { InvalidFlag, MissingFlag, UnknownCommand, UnknownFlag, type UsageError } from "./Errors.ts"
import { type ExitCode, exitCodes } from "./ExitCodes.ts"
import { withFlags } from "./FlagWords.ts"

/** What a person or a program is told about an error; the vocabulary that all packages share. */
export interface ErrorReport {
  readonly tag: string
  readonly message: string
  readonly file?: string
  readonly line?: number
  readonly field?: string
  readonly tensor?: string
  readonly node?: string
  /** The operator, and the input of it, that an error is about. */
  readonly op?: string
  readonly input?: string
  readonly opset?: number
  readonly expected?: string
  readonly found?: string
  readonly hint?: string
  /** Where the program itself went wrong; only for faults that no package foresaw. */
  readonly stack?: string
  readonly exitCode: ExitCode
}

const textFields = ["file", "field", "tensor", "node", "op", "input", "expected", "found", "hint"] as const

/** The report on why a command ended: the first failure, else the defect, else the interruption. */
export const reportCause = (cause: Cause.Cause<unknown>): ErrorReport =>
  Cause.hasInterruptsOnly(cause)
    ? { tag: "Interrupted", message: "interrupted", exitCode: 130 }
    : reportError(Cause.squash(cause))

/** What this command can do about an error, beside what the package says that it comes from. */
const furtherHints: Readonly<Record<string, string>> = {
  StoreMismatch: "`tandem dpr index` does so",
  ProviderUnavailable: "`tandem doctor` says what this machine can do",
}

/** The report on an error. A value without a known tag is a fault of the program: exit code 1, with its stack. */
export const reportError = (error: unknown): ErrorReport => {
  const own = isShowHelp(error) ? (error.errors[0] === undefined ? commandNeeded : fromCli(error.errors[0])) : error
  const tag = tagOf(own)
  const exitCode = tag === undefined ? undefined : exitCodes[tag]
  if (tag === undefined || exitCode === undefined) return unforeseen(own, tag)
  const text = Object.fromEntries(
    textFields.flatMap((name) => {
      const value = read(own, name)
      return value === undefined ? [] : [[name, withFlags(String(value))] as const]
    }),
  )
  const [line, opset] = [read(own, "line"), read(own, "opset")]
  const hints = [text["hint"], furtherHints[tag]].filter((hint) => hint !== undefined)
  return {
    tag,
    message: withFlags(String(read(own, "message") ?? "")),
    ...text,
    ...(hints.length === 0 ? {} : { hint: hints.join("; ") }),
    ...(typeof line === "number" ? { line } : {}),
    ...(typeof opset === "number" ? { opset } : {}),
    exitCode,
  }
}

/**
 * For people: `error[Tag] what (where)` and, a line each, what was expected, what was found and what to do. Control
 * characters, which data may bring, are left out.
 */
export const renderError = (report: ErrorReport): string => {
  const { tag, message, file, line, field, tensor, node, expected, found, hint, stack } = report
  const place = file === undefined ? undefined : line === undefined ? file : `${file}:${line}`
  const where = [
    place,
    ...Object.entries({ field, tensor, node }).flatMap(([name, value]) =>
      value === undefined || value === "" || message.includes(value) ? [] : [`${name} ${value}`],
    ),
  ].filter((part) => part !== undefined && part !== "" && !message.includes(part))
  const rows = [
    ["expected", expected],
    ["found", found],
    ["to do", hint],
  ].flatMap(([name, value]) => (value === undefined ? [] : [`  ${name?.padEnd(8)}  ${value}`]))
  const head = `error[${tag}] ${message}${where.length === 0 ? "" : ` (${where.join(", ")})`}`
  return withoutControls([head, ...rows, ...(stack === undefined ? [] : [stack])].join("\n"))
}

/** For programs: `{"error": {"tag", "message", "file", "field", "expected", "found", …}}`; absent fields are left out. */
export const errorJson = ({
  exitCode: _exitCode,
  stack: _stack,
  ...error
}: ErrorReport): { readonly error: object } => ({
  error,
})

const commandNeeded = new UnknownCommand({ message: "a command is needed", hint: "the list above names them" })

const isShowHelp = (error: unknown): error is CliError.ShowHelp => tagOf(error) === "ShowHelp"

/** An error of Effect's argument parser in our words. */
const fromCli = (error: CliError.NonShowHelpErrors): UsageError => {
  switch (error._tag) {
    case "UnrecognizedOption":
      return new UnknownFlag({
        message: `${error.option} is not a flag of ${error.command?.join(" ") ?? "tandem"}`,
        field: error.option,
        hint: suggest(error.suggestions, `${error.command?.join(" ") ?? "tandem"} --help lists the flags`),
      })
    case "UnknownSubcommand":
      return new UnknownCommand({
        message: `${error.parent?.join(" ") ?? "tandem"} has no command ${error.subcommand}`,
        field: error.subcommand,
        hint: suggest(error.suggestions, `${error.parent?.join(" ") ?? "tandem"} --help lists the commands`),
      })
    case "MissingOption":
      return new MissingFlag({ message: `--${error.option} is needed`, field: `--${error.option}` })
    case "MissingArgument":
      return new MissingFlag({ message: `an argument is needed: ${error.argument}`, field: error.argument })
    case "UnexpectedArgument":
      return new InvalidFlag({
        message: `arguments that the command does not take: ${error.arguments.join(" ")}`,
        found: error.arguments.join(" "),
        hint: "a flag that takes several values is repeated, as in --data F --data G",
      })
    case "InvalidValue": {
      const name = error.kind === "flag" ? `--${error.option}` : error.option
      return new InvalidFlag({
        message: error.value === "" ? `${name} needs a value` : `${name} has a wrong value`,
        field: name,
        expected: error.expected,
        ...(error.value === "" ? {} : { found: error.value }),
      })
    }
    default:
      return new InvalidFlag({ message: error.message })
  }
}

const suggest = (suggestions: readonly string[], otherwise: string): string =>
  suggestions.length === 0 ? otherwise : `did you mean ${suggestions.join(" or ")}?`

const unforeseen = (error: unknown, tag: string | undefined): ErrorReport => {
  const message = error instanceof Error ? error.message : String(error)
  return {
    tag: tag ?? "Unexpected",
    message: message === "" ? "the program failed" : message,
    ...(error instanceof Error && error.stack !== undefined ? { stack: error.stack } : {}),
    exitCode: 1,
  }
}

const tagOf = (error: unknown): string | undefined => {
  const tag = read(error, "_tag")
  return typeof tag === "string" ? tag : undefined
}

const read = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && name in value ? Reflect.get(value, name) : undefined

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const withoutControls = (text: string): string => text.replace(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "")
