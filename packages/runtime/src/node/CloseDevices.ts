import { deviceThreads } from "../internal/node/deviceThreads.ts"

/**
 * Resolves once no device of this process computes, and lets none begin anew: what asks for something from now on is not
 * answered. To be called before `process.exit` where a device may be at work, because a thread that is ended inside of ONNX
 * Runtime can take the process with it; there is a run to wait for at most, and `process.exit` waits for it as well.
 */
export const closeDevices = async (): Promise<void> => {
  deviceThreads.closed = true
  await Promise.all([...deviceThreads.idle].map((idle) => idle()))
}
