/** The threads of this process's devices. */
export interface DeviceThreads {
  /** Resolve once the thread of a device has answered all that it was asked. */
  readonly idle: Set<() => Promise<void>>
  /** Whether no more is asked of any. */
  closed: boolean
}

export const deviceThreads: DeviceThreads = { idle: new Set(), closed: false }
