// How the process' allocator keeps memory. A training step takes and gives back over a gibibyte in blocks of mebibytes;
// glibc, left alone, asks the kernel for most of them anew each time, and the kernel clears them page by page.

/**
 * Settings of glibc's allocator for a process that trains, as the environment variable `GLIBC_TUNABLES` takes them: memory
 * that was given back stays with the process (blocks below 1 GiB, one arena, nothing trimmed). They are read when a
 * process starts and not afterwards.
 */
export const memoryTunables = [
  "glibc.malloc.arena_max=1",
  "glibc.malloc.mmap_threshold=1073741824",
  "glibc.malloc.trim_threshold=1099511627776",
].join(":")

/**
 * Starts this process again with `memoryTunables`: the same process id, arguments and open streams. To be called first, as
 * nothing of the program's state is kept. Does nothing where `GLIBC_TUNABLES` is set, outside Linux, and in runtimes
 * that cannot replace their process.
 */
export const keepMemory = (): void => {
  if (process.platform !== "linux" || process.env["GLIBC_TUNABLES"] !== undefined) return
  process.execve?.(process.execPath, [process.execPath, ...process.execArgv, ...process.argv.slice(1)], {
    ...process.env,
    GLIBC_TUNABLES: memoryTunables,
  })
}
