import { Environment, Interpreter, parse, tokenize } from "@huggingface/jinja"
import { InvalidPrompt, InvalidTemplate } from "../Errors.ts"
import { strftime } from "./Strftime.ts"

/**
 * What a template from outside may cost: real ones have at most 40,000 characters and take some hundred steps a turn.
 */
const most = { template: 2 ** 18, steps: 2 ** 17, size: 2 ** 22, range: 2 ** 16 }

/** What is used of the library's interpreter, whose declarations cannot be resolved where imports name their files in full. */
interface Machine {
  evaluate: (statement: unknown, environment: unknown) => { readonly value: unknown }
  readonly run: (program: unknown) => { readonly value: unknown }
}

/** Why a template was left: what it did exceeds a bound. */
class TooMuch extends Error {}

/** What a template says by `raise_exception`. */
class Raised extends Error {}

/** An interpreter that counts its steps, and looks at the size of what each one gives. */
const boundedInterpreter = (environment: Environment): Machine => {
  const machine: Machine = new Interpreter(environment)
  const evaluate = machine.evaluate.bind(machine)
  let steps = 0
  machine.evaluate = (statement, scope) => {
    steps += 1
    if (steps > most.steps) throw new TooMuch(`more than ${most.steps} steps`)
    const result = evaluate(statement, scope)
    const { value } = result
    const size = typeof value === "string" || Array.isArray(value) ? value.length : 0
    if (size > most.size) throw new TooMuch(`a value of more than ${most.size} characters or elements`)
    return result
  }
  return machine
}

/** A parsed template. */
export interface Jinja {
  readonly render: (variables: Readonly<Record<string, unknown>>, now: Date) => string
}

/** What a template is called in messages, and where it stands. */
interface Named {
  readonly name: string
  readonly file?: string
  readonly field?: string
}

/**
 * Parses a Jinja template as transformers does (`trim_blocks`, `lstrip_blocks`), with its functions `raise_exception`,
 * `strftime_now`, `range` and `namespace`.
 *
 * What cannot be parsed or rendered, or exceeds what a template may cost, ends in `InvalidTemplate`; what the template
 * refuses itself in `InvalidPrompt`. Both name the file, or where the template stands in settings.
 */
export const parseJinja = (text: string, where: string | Named): Jinja => {
  const named = typeof where === "string" ? { name: "the chat template", file: where } : where
  const program = guarded(named, () => {
    if (text.length > most.template) throw new TooMuch(`more than ${most.template} characters`)
    return parse(tokenize(text, { lstrip_blocks: true, trim_blocks: true }))
  })
  return {
    render: (variables, now) =>
      guarded(named, () => {
        const environment = new Environment()
        for (const [name, value] of Object.entries({ ...globals(now), ...variables })) environment.set(name, value)
        const { value } = boundedInterpreter(environment).run(program)
        return String(value)
      }),
  }
}

const globals = (now: Date): Readonly<Record<string, unknown>> => ({
  true: true,
  false: false,
  none: null,
  True: true,
  False: false,
  None: null,
  range,
  raise_exception: (message: unknown) => {
    throw new Raised(String(message))
  },
  strftime_now: (format: unknown) => strftime(now, String(format)),
})

const range = (first: number, second?: number, step = 1): readonly number[] => {
  const [start, end] = second === undefined ? [0, first] : [first, second]
  const length = Math.max(0, Math.ceil((end - start) / step))
  if (!(length <= most.range)) throw new TooMuch(`a range of more than ${most.range} numbers`)
  return Array.from({ length }, (_, index) => start + index * step)
}

const guarded = <A>({ name, ...place }: Named, run: () => A): A => {
  try {
    return run()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    if (cause instanceof Raised) {
      throw new InvalidPrompt({ message: `${name} refuses the conversation: ${reason}`, ...place })
    }
    throw new InvalidTemplate({
      message: cause instanceof TooMuch ? `${name} does too much: ${reason}` : `${name} cannot be used: ${reason}`,
      ...place,
    })
  }
}
