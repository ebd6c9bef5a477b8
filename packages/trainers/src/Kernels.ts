import type { HostKernel } from "@tandem/runtime"

const kernel = (module: string, name: string): HostKernel => ({
  module: new URL(
    import.meta.url.endsWith(".ts") ? `./internal/${module}.ts` : `./internal/${module}.js`,
    import.meta.url,
  ).href,
  name,
})

/** The host functions of the trainer, which run where the runtime keeps its buffers. */
export const kernels = {
  squares: kernel("adamwKernel", "squares"),
  adamw: kernel("adamwKernel", "adamw"),
  accumulate: kernel("adamwKernel", "accumulate"),
  clear: kernel("adamwKernel", "clear"),
  addRows: kernel("rowsKernel", "addRows"),
  masks: kernel("maskKernel", "masks"),
} as const
