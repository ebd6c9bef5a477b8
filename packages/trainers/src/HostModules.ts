import * as adamwKernel from "./internal/adamwKernel.ts"
import * as maskKernel from "./internal/maskKernel.ts"
import * as rowsKernel from "./internal/rowsKernel.ts"
import { kernels } from "./Kernels.ts"
import * as lionModule from "./Lion.ts"

/**
 * The modules behind this package's host kernels, by the URLs that they are named by: what
 * `@tandem/runtime/web/WebRuntime` takes as `modules` in a bundle, where no module can be imported by its URL.
 */
export const hostModules: Readonly<Record<string, object>> = {
  [kernels.adamw.module]: adamwKernel,
  [kernels.masks.module]: maskKernel,
  [kernels.addRows.module]: rowsKernel,
  [lionModule.lion().kernel.module]: lionModule,
}
