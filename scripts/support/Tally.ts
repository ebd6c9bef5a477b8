// What the steps of a test run add up to, and the closing line that says it.

export interface Counts {
  readonly passed: number
  readonly failed: number
}

export interface Step {
  readonly title: string
  readonly counts: Counts
  readonly seconds: number
}

/** Runs steps one after the other, prints a heading and a result for each, and keeps the sum. */
export class Tally {
  readonly steps: Array<Step> = []

  /** Runs one step. What it throws is printed and counts as one failure, so that later steps still run. */
  async step(title: string, work: () => Counts | Promise<Counts>): Promise<void> {
    console.log(`\n── ${title}`)
    const start = performance.now()
    let counts: Counts
    try {
      counts = await work()
    } catch (error) {
      console.log(error instanceof Error ? error.message : String(error))
      counts = { passed: 0, failed: 1 }
    }
    const seconds = (performance.now() - start) / 1000
    console.log(`   ${counts.passed} passed, ${counts.failed} failed in ${seconds.toFixed(1)} s`)
    this.steps.push({ title, counts, seconds })
  }

  /** Prints the failed steps and the closing line, and sets the exit code: 1 on a failure or where nothing ran. */
  close(): void {
    const total = (field: keyof Counts) => this.steps.reduce((sum, step) => sum + step.counts[field], 0)
    const failed = this.steps.filter((step) => step.counts.failed > 0)
    console.log("")
    for (const step of failed) console.log(`failed: ${step.title} (${step.counts.failed})`)
    if (total("passed") + total("failed") === 0) console.log("failed: no test ran")
    console.log(`${total("passed")} passed, ${total("failed")} failed`)
    process.exitCode = total("failed") > 0 || total("passed") === 0 ? 1 : 0
  }
}
